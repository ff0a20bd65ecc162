"""What a rule says, with all that it rests on."""

from collections.abc import Iterable
from dataclasses import dataclass

from msnode.records.sentences import Sentence, Text

YES, NO = Sentence("yes"), Sentence("no")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is printed beside its result.

    Attributes:
        name: of the rule.
        definition: in words; what is this program's own choice is called so.
        source: where it was published.
    """

    name: Text
    definition: Text
    source: Text

    def known(self, value: Text | float, words: Text, inputs: Iterable[str]) -> "RuleResult":
        """A result."""
        return RuleResult(self, value, words, tuple(sorted(set(inputs))))

    def unknown(self, missing: Iterable[Text], inputs: Iterable[str] = ()) -> "RuleResult":
        """No result, for want of something."""
        why = tuple(dict.fromkeys(missing))
        return RuleResult(self, None, Sentence("unknown"), tuple(sorted(set(inputs))), why)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a rule says of a patient.

    Attributes:
        rule: with its definition.
        value: yes, no, or a number; None where it is unknown, which is never a no.
        words: the result in a sentence.
        inputs: identities of the events, and keys of the studies, that were used.
        missing: what it would take to know.
    """

    rule: Rule
    value: Text | float | None
    words: Text
    inputs: tuple[str, ...]
    missing: tuple[Text, ...] = ()

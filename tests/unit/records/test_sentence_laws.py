"""Every phrase, with any values at any depth, is the same after a way through JSON."""

import json
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from msnode.records.sentences import Sentence, Text, Value, from_json, phrases, to, to_json
from msnode.report.localised import LANGUAGES


def placeholders(code: str) -> dict[str, str]:
    """The names in a phrase with what is asked of their format."""
    parsed = string.Formatter().parse(phrases("en")[code])
    return {name: spec or "" for _, name, spec, _ in parsed if name}


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)


def _sentences(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Sentences with these values, and lists of them."""

    @st.composite
    def one(draw: st.DrawFn) -> Sentence:
        code = draw(st.sampled_from(sorted(phrases("en"))))
        specs = placeholders(code)
        filled = {n: draw(NUMBERS if spec else values) for n, spec in specs.items()}
        return Sentence(code, **filled)

    return one() | st.lists(one() | WORDS, max_size=3)


VALUES = st.recursive(WORDS | NUMBERS, _sentences, max_leaves=6)
SENTENCES: st.SearchStrategy[Sentence] = _sentences(VALUES).filter(
    lambda made: isinstance(made, Sentence)
)


def is_same(one: Text, other: Text) -> bool:
    """Whether two texts say the same in every language."""
    return type(one) is type(other) and all(to(one, la) == to(other, la) for la in LANGUAGES)


@given(SENTENCES)
def test_a_sentence_is_the_same_after_json(made: Sentence) -> None:
    raw = json.loads(json.dumps(to_json(made)))
    again = from_json(raw)
    assert is_same(again, made)
    assert to_json(again) == raw


@given(VALUES)
def test_a_value_is_the_same_after_json(value: Value) -> None:
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


@given(SENTENCES)
def test_what_a_later_version_says_is_read_in_english(made: Sentence) -> None:
    raw = to_json(made) | {"code": "of_a_later_version"}
    assert from_json(raw) == str(made)

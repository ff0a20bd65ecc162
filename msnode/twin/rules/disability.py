"""Worsening of the EDSS: confirmed, from a roving reference; with relapses (RAW) or without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from operator import gt, le

from msnode.records.sentences import Sentence
from msnode.twin.clinical.course import Course, Measure
from msnode.twin.clinical.relapse_count import review_wanted, whole_date
from msnode.twin.rules.rule_result import NO, YES, Rule, RuleResult

BEFORE = timedelta(days=90)
"""A relapse that began so long before a worsening, or later, goes with it."""
AFTER = timedelta(days=30)
"""Likewise after."""


@dataclass(frozen=True, slots=True)
class Worsening:
    """A confirmed worsening.

    Attributes:
        onset: day of the first EDSS that was so much higher.
        confirmed: day of the EDSS that confirmed it.
        reference: EDSS before.
        level: the lowest EDSS from onset to confirmation.
        inputs: identities of the events.
    """

    onset: date
    confirmed: date
    reference: float
    level: float
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worsenings:
    """What became of the EDSS.

    Attributes:
        confirmed: oldest first.
        pending: begin of a worsening that no later EDSS has confirmed or refuted yet.
    """

    confirmed: tuple[Worsening, ...]
    pending: date | None


def step(reference: float) -> float:
    """By how much the EDSS has to rise from a reference (Kappos et al. 2018)."""
    if reference == 0:
        return 1.5
    return 1.0 if reference <= 5.5 else 0.5


def worsenings(scores: Sequence[Measure], weeks: int) -> Worsenings:
    """Every confirmed worsening.

    Args:
        scores: EDSS, one a day, oldest first.
        weeks: between onset and confirmation, at least.
    """
    confirmed: list[Worsening] = []
    if not scores:
        return Worsenings((), None)
    reference = scores[0]
    level = reference.value
    for start in range(1, len(scores)):
        rest, threshold = scores[start:], level + step(level)
        if rest[0].value >= threshold:
            held = _held(rest, weeks, partial(le, threshold))
            if held is None and all(one.value >= threshold for one in rest):
                return Worsenings(tuple(confirmed), rest[0].day)
            if held is not None:
                used = (reference.event, *(one.event for one in held))
                before, level = level, min(one.value for one in held)
                confirmed.append(Worsening(rest[0].day, held[-1].day, before, level, used))
                reference = rest[0]
        elif rest[0].value < level:
            held = _held(rest, weeks, partial(gt, level))
            if held is not None:
                level, reference = max(one.value for one in held), rest[0]
    return Worsenings(tuple(confirmed), None)


def _held(
    scores: Sequence[Measure], weeks: int, fits: Callable[[float], bool]
) -> Sequence[Measure] | None:
    """The scores up to the first one that is so many weeks later, if all of them fit."""
    for number, score in enumerate(scores):
        if not fits(score.value):
            return None
        if score.day - scores[0].day >= timedelta(weeks=weeks):
            return scores[: number + 1]
    return None


@cache
def _rule(weeks: int) -> Rule:
    return Rule(
        Sentence("rule_worsening", weeks=weeks),
        Sentence("rule_worsening_is", weeks=weeks),
        "Kappos et al., Mult Scler 2018;24:963",
    )


def worsening(course: Course, weeks: int) -> RuleResult:
    """Whether the EDSS has worsened, confirmed after so many weeks."""
    rule = _rule(weeks)
    scores = course.edss()
    if problems := course.contradicted("edss"):
        return rule.unknown(problems)
    if len(scores) < 2:
        why = Sentence("want_two_edss", count=len(scores))
        return rule.unknown([why], (s.event for s in scores))
    found = worsenings(scores, weeks)
    if found.confirmed:
        last = found.confirmed[-1]
        words = Sentence(
            "found_confirmed", count=len(found.confirmed), onset=str(last.onset),
            reference=last.reference, level=last.level, confirmed=str(last.confirmed),
        )  # fmt: skip
        return rule.known(YES, words, (e for one in found.confirmed for e in one.inputs))
    if found.pending:
        why = Sentence("want_confirming", weeks=weeks, day=str(found.pending))
        return rule.unknown([why], (s.event for s in scores))
    first, end = str(scores[0].day), str(scores[-1].day)
    words = Sentence("found_none_in_edss", first=first, last=end, count=len(scores))
    return rule.known(NO, words, (s.event for s in scores))


PIRA = Rule("PIRA", Sentence("rule_pira_is"), "Portaccio et al. 2025")
RAW = Rule("RAW", Sentence("rule_raw_is"), "Portaccio et al. 2025")


def pira(course: Course) -> RuleResult:
    """Whether there was progression independent of relapse activity."""
    return _attributed(course, PIRA)


def raw(course: Course) -> RuleResult:
    """Whether there was relapse-associated worsening."""
    return _attributed(course, RAW)


def with_relapse(course: Course, onset: date) -> bool | None:
    """Whether a worsening goes with a relapse; None where that cannot be told."""
    first, last = onset - BEFORE, onset + AFTER
    spans = [event.span for event in course.of("relapse")]
    if any(first <= span[0] and span[1] <= last for span in spans):
        return True
    if any(span[0] <= last and first <= span[1] for span in spans):
        return None
    return False if course.is_reviewed(first, last) else None


def _wanted(course: Course, onset: date) -> list[Sentence]:
    """What it would take to know whether a worsening goes with a relapse."""
    first, last = onset - BEFORE, onset + AFTER
    dates = [whole_date(event) for event in course.vague_relapses(first, last)]
    return dates if course.is_reviewed(first, last) else [*dates, review_wanted(first, last)]


def _attributed(course: Course, rule: Rule) -> RuleResult:
    """Whether one of the worsenings is of the rule's kind."""
    whole = worsening(course, 24)
    if problems := course.contradicted("relapse", "relapse_review"):
        return rule.unknown(problems)
    if whole.value is None:
        return rule.unknown(whole.missing, whole.inputs)
    used = {*whole.inputs, *(e.identity for e in course.of("relapse", "relapse_review"))}
    if whole.value == "no":
        return rule.known(NO, Sentence("found_no_worsening"), used)
    found = worsenings(course.edss(), 24)
    told = {one.onset: with_relapse(course, one.onset) for one in found.confirmed}
    mine = [onset for onset, with_one in told.items() if with_one is (rule is RAW)]
    if mine:
        days = ", ".join(map(str, mine))
        words = Sentence("found_worsenings", count=len(mine), of=len(told), days=days)
        return rule.known(YES, words, used)
    open_ = [onset for onset, with_one in told.items() if with_one is None]
    if open_ or found.pending:
        missing = [why for onset in open_ for why in _wanted(course, onset)]
        if found.pending:
            missing.append(Sentence("want_edss_24", day=str(found.pending)))
        return rule.unknown(missing, used)
    return rule.known(NO, Sentence("found_none_of", of=len(told)), used)

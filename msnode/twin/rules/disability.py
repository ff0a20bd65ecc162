"""Worsening of the EDSS: confirmed, from a roving reference; with relapses (RAW) or without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from operator import gt, le

from msnode.twin.clinical.course import Course, Measure
from msnode.twin.clinical.relapse_count import whole_date
from msnode.twin.rules.rule_result import Rule, RuleResult

BEFORE = timedelta(days=90)
"""A relapse that began so long before a worsening, or later, goes with it."""
AFTER = timedelta(days=30)
"""Likewise after."""
STEPS = "at least 1.5 from 0, 1.0 from 1.0 to 5.5, 0.5 from 6.0"


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


def worsening(course: Course, weeks: int) -> RuleResult:
    """Whether the EDSS has worsened, confirmed after so many weeks."""
    rule = Rule(
        f"EDSS worsening, confirmed at {weeks} weeks",
        f"a rise of the EDSS of {STEPS}, held by every EDSS up to the first one at least {weeks} "
        "weeks later; roving reference: the first EDSS on record, after a confirmed worsening the "
        "lowest EDSS from its onset to its confirmation, and (this program's choice) after an EDSS "
        "below the reference that is held as long, the highest of those; the paper moves it after "
        "24 weeks or more",
        "Kappos et al., Mult Scler 2018;24:963",
    )
    scores = course.edss()
    if problems := course.contradicted("edss"):
        return rule.unknown(problems)
    if len(scores) < 2:
        return rule.unknown([f"two EDSS; {len(scores)} on record"], (s.event for s in scores))
    found = worsenings(scores, weeks)
    if found.confirmed:
        last = found.confirmed[-1]
        words = (
            f"{len(found.confirmed)} confirmed; the last began {last.onset}, from "
            f"{last.reference:.1f} to {last.level:.1f}, confirmed {last.confirmed}"
        )
        return rule.known("yes", words, (e for one in found.confirmed for e in one.inputs))
    if found.pending:
        why = f"an EDSS at least {weeks} weeks after {found.pending}, to confirm its rise"
        return rule.unknown([why], (s.event for s in scores))
    words = f"none from {scores[0].day} to {scores[-1].day}, in {len(scores)} EDSS"
    return rule.known("no", words, (s.event for s in scores))


WINDOW = (
    "of an EDSS worsening confirmed at 24 weeks (roving reference, see there), that with {} that "
    "began from 90 days before its onset to 30 days after; no other window, such as around the "
    "confirmation, is asked for: definitions in use give 0.14 to 0.66 events a decade (Müller 2025)"
)
PIRA = Rule(
    "PIRA", f"progression independent of relapse activity: {WINDOW.format('no relapse')}; relapses "
    "count as absent only where a relapse_review covers the window", "Portaccio et al. 2025",
)  # fmt: skip
RAW = Rule(
    "RAW", f"relapse-associated worsening: {WINDOW.format('a relapse')}", "Portaccio et al. 2025"
)


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


def _wanted(course: Course, onset: date) -> list[str]:
    """What it would take to know whether a worsening goes with a relapse."""
    first, last = onset - BEFORE, onset + AFTER
    dates = [whole_date(event) for event in course.vague_relapses(first, last)]
    return (
        dates
        if course.is_reviewed(first, last)
        else [*dates, f"a relapse_review from {first} to {last}"]
    )


def _attributed(course: Course, rule: Rule) -> RuleResult:
    """Whether one of the worsenings is of the rule's kind."""
    whole = worsening(course, 24)
    if problems := course.contradicted("relapse", "relapse_review"):
        return rule.unknown(problems)
    if whole.value is None:
        return rule.unknown(whole.missing, whole.inputs)
    used = {*whole.inputs, *(e.identity for e in course.of("relapse", "relapse_review"))}
    if whole.value == "no":
        return rule.known("no", "no confirmed worsening", used)
    found = worsenings(course.edss(), 24)
    told = {one.onset: with_relapse(course, one.onset) for one in found.confirmed}
    mine = [onset for onset, with_one in told.items() if with_one is (rule is RAW)]
    if mine:
        return rule.known("yes", f"{len(mine)} of {len(told)} worsenings; onset "
                          f"{', '.join(map(str, mine))}", used)  # fmt: skip
    open_ = [onset for onset, with_one in told.items() if with_one is None]
    if open_ or found.pending:
        missing = [why for onset in open_ for why in _wanted(course, onset)]
        if found.pending:
            missing.append(f"an EDSS at least 24 weeks after {found.pending}")
        return rule.unknown(missing, used)
    return rule.known("no", f"none of {len(told)} worsenings", used)

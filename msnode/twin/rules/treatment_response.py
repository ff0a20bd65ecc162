"""Response to the first year of a treatment: modified Rio and MAGNIMS score.

Both were made with patients on interferon; that stands in what they print.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations

from msnode.records.sentences import Sentence, Text, joined
from msnode.twin.clinical.course import Course
from msnode.twin.clinical.events import Event, may_coincide
from msnode.twin.clinical.relapse_count import count_relapses, review_wanted, whole_date
from msnode.twin.rules.activity import compared_studies
from msnode.twin.rules.rule_result import Rule, RuleResult

YEAR = timedelta(days=365)
MANY = 1_000_000
"""More relapses or lesions than anybody has: what an unknown number may be at most."""
BASELINE = timedelta(days=180), timedelta(days=90)
"""The first scan is at most so long before the treatment's begin, or after."""
LAST = timedelta(days=270), timedelta(days=455)
"""The last one is so long after it: 9 to 15 months."""

CHOICES = Sentence("rule_first_year")
RIO = Rule(
    Sentence("rule_rio"),
    Sentence("rule_rio_is", choices=CHOICES),
    "Sormani et al., Mult Scler 2013;19:605",
)
PROGRESSION = {0: 24, 1: 33, 2: 65}
"""Per cent of the patients in the validation set, within three years (Sormani 2013)."""
MAGNIMS = Rule(
    Sentence("rule_magnims"),
    Sentence("rule_magnims_is", choices=CHOICES),
    "Sormani et al., Neurology 2016;87:134; Kunchok et al., Mult Scler 2021;27:695 (n = 2,293)",
)
WORDS = {
    RIO: {n: Sentence("found_progressed", percent=p) for n, p in PROGRESSION.items()},
    MAGNIMS: dict.fromkeys(range(3), Sentence("found_of_two")),
}
Points = Callable[[int, int], int]
"""A score of relapses and new T2 lesions."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as far as it is known.

    Attributes:
        low: at least.
        high: at most.
        missing: what it would take to know it; "" where it is known.
        inputs: identities of events, keys of studies.
    """

    low: int
    high: int
    missing: Text
    inputs: tuple[str, ...]


def rio_points(relapses: int, new_t2: int) -> int:
    """The modified Rio score, 0 to 3 (Sormani 2013)."""
    return min(relapses, 2) + (new_t2 > 5)


def magnims_points(relapses: int, new_t2: int) -> int:
    """The MAGNIMS score, 0 to 2 (Sormani 2016)."""
    if relapses >= 2 or (relapses == 1 and new_t2 >= 3):
        return 2
    return 1 if relapses or new_t2 >= 3 else 0


def modified_rio(course: Course, on: date) -> RuleResult:
    """The modified Rio score; 2 stands for 2 or 3."""
    return _first_year(course, on, RIO, lambda r, t: min(rio_points(r, t), 2))


def magnims(course: Course, on: date) -> RuleResult:
    """The MAGNIMS score."""
    return _first_year(course, on, MAGNIMS, magnims_points)


def _first_year(course: Course, on: date, rule: Rule, points: Points) -> RuleResult:
    """The score of the first year, if it is the same for all days on which it may have begun."""
    kinds = ("treatment_begun", "treatment_stopped", "relapse", "relapse_review")
    if problems := course.contradicted(*kinds):
        return rule.unknown(problems)
    last = _last_begun(course)
    if last is None:
        return rule.unknown([Sentence("want_treatment")])
    if unclear := _unclear(course, last):
        return rule.unknown(map(whole_date, unclear), (e.identity for e in (*unclear, last)))
    first, end = last.span
    days = [first + timedelta(days=n) for n in range((end - first).days + 1)]
    results = [_score(course, on, rule, points, last, day) for day in days]
    used = {name for one in results for name in one.inputs}
    if len(results) == 1 or (
        len({one.value for one in results}) == 1 and results[0].value is not None
    ):
        return replace(results[0], inputs=tuple(sorted(used)))
    return rule.unknown([whole_date(last)], used)


def _score(
    course: Course, on: date, rule: Rule, points: Points, treatment: Event, begun: date
) -> RuleResult:
    """The score of the year from a day on."""
    if begun + YEAR > on:
        return rule.unknown([Sentence("want_year_end", day=str(begun + YEAR))])
    if stop := _stopped(course, treatment, begun):
        return rule.unknown(
            [Sentence("want_whole_year")],
            [treatment.identity, stop.identity],
        )
    relapses, lesions = _relapses(course, begun), _new_lesions(course, begun)
    used = (treatment.identity, *relapses.inputs, *lesions.inputs)
    low, high = points(relapses.low, lesions.low), points(relapses.high, lesions.high)
    if low != high:
        return rule.unknown(filter(None, (relapses.missing, lesions.missing)), used)
    return rule.known(low, WORDS[rule][low], used)


def _unclear(course: Course, last: Event) -> list[Event]:
    """Begins and ends of a treatment in an order that is not known, so far as it matters."""
    events = course.of("treatment_begun", "treatment_stopped")
    pairs = [
        (one, other)
        for one, other in combinations(events, 2)
        if may_coincide(one, other)
        and (one.value.casefold() == other.value.casefold()
             or (last in (one, other) and one.kind == other.kind))
    ]  # fmt: skip
    return [event for pair in pairs for event in pair if event.last]


def _last_begun(course: Course) -> Event | None:
    """The last begin of a treatment that was not running already, as a refill is none."""
    running: set[str] = set()
    last = None
    for event in course.of("treatment_begun", "treatment_stopped"):
        name = event.value.casefold()
        if event.kind == "treatment_stopped":
            running.discard(name)
        elif name not in running:
            running.add(name)
            last = event
    return last


def _stopped(course: Course, treatment: Event, begun: date) -> Event | None:
    """The end of a treatment that is, or may be, within its first year."""
    for event in course.of("treatment_stopped"):
        same = event.value.casefold() == treatment.value.casefold()
        first, last = event.span
        if same and begun <= last and first < begun + YEAR:
            return event
    return None


def _relapses(course: Course, begun: date) -> Number:
    found = count_relapses(course, begun, begun + YEAR)
    used = tuple(event.identity for event in (*found.events, *course.of("relapse_review")))
    if course.is_reviewed(begun, begun + YEAR):
        return Number(found.low, found.high, joined(found.missing), used)
    return Number(found.low, MANY, review_wanted(begun, begun + YEAR), used)


def _new_lesions(course: Course, begun: date) -> Number:
    """New lesions from the scan at the begin to that after a year, over all scans between."""
    compared = compared_studies(course)
    by_day = {one.day: one for one in reversed(compared)}
    ends = [one for one in compared if LAST[0] <= one.day - begun <= LAST[1]]
    if not ends:
        return Number(0, MANY, Sentence("want_year_scan"), ())
    study = min(ends, key=lambda one: (abs(one.day - begun - YEAR), one.study_key))
    total, used = study.new, [study.study_key]
    while study.prior - begun > BASELINE[1]:
        before = by_day.get(study.prior)
        if before is None:
            missing = Sentence("want_comparison", day=str(study.prior))
            return Number(0, MANY, missing, tuple(used))
        study = before
        total, used = total + study.new, [*used, study.study_key]
    if begun - study.prior > BASELINE[0]:
        return Number(0, total, Sentence("want_baseline"), tuple(used))
    return Number(total, total, "", tuple(used))

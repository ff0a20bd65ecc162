"""Relapse rate, disease duration and NEDA-3."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from msnode.records.sentences import Sentence, Text, joined, listed
from msnode.twin.clinical.course import Course
from msnode.twin.clinical.relapse_count import DAY, count_relapses, review_wanted
from msnode.twin.rules.disability import worsenings
from msnode.twin.rules.rule_result import NO, YES, Rule, RuleResult

YEAR_DAYS = 365.25
LEAST_DAYS = 365
"""Of a relapse rate."""
NEAR = timedelta(days=90)
"""An EDSS so near to a scan stands for the patient's state at the scan."""
SAME_VISIT = timedelta(days=30)
"""A count of enhancing lesions so near to a scan is that of the scan."""

RELAPSE_RATE = Rule(
    Sentence("rule_relapse_rate"),
    Sentence("rule_relapse_rate_is"),
    Sentence("source_relapse", citation="McDonald et al., Ann Neurol 2001;50:121"),
)
DURATION = Rule(
    Sentence("rule_duration"), Sentence("rule_duration_is"), Sentence("source_arithmetic")
)
NEDA3 = Rule(
    "NEDA-3",
    Sentence("rule_neda3_is"),
    "Giovannoni et al., Mult Scler Relat Disord 2015;4:329",
)


def relapse_rate(course: Course) -> RuleResult:
    """Relapses a year."""
    if problems := course.contradicted("relapse", "relapse_review"):
        return RELAPSE_RATE.unknown(problems)
    spans = course.reviewed()
    days = sum((last - first).days for first, last in spans)
    if days < LEAST_DAYS:
        why = Sentence("want_review_year", days=days)
        return RELAPSE_RATE.unknown([why], (e.identity for e in course.of("relapse_review")))
    counts = [count_relapses(course, first - DAY, last) for first, last in spans]
    inside = [event for count in counts for event in count.events]
    years = days / YEAR_DAYS
    used = [event.identity for event in (*inside, *course.of("relapse_review"))]
    low, high = sum(count.low for count in counts), sum(count.high for count in counts)
    if low != high:
        return RELAPSE_RATE.unknown((why for count in counts for why in count.missing), used)
    words = Sentence("found_rate", count=low, years=years)
    return RELAPSE_RATE.known(round(low / years, 3), words, used)


def disease_duration(course: Course, on: date) -> RuleResult:
    """Years since the first symptom."""
    onsets = course.of("onset")
    if problems := course.contradicted("onset"):
        return DURATION.unknown(problems)
    if not onsets:
        return DURATION.unknown([Sentence("want_onset")])
    if min(e.span[0] for e in onsets) > on:
        return DURATION.unknown([Sentence("want_later_day", day=str(on))])
    first, last = max(e.span[0] for e in onsets), min(e.span[1] for e in onsets)
    longest, shortest = (round((on - day).days / YEAR_DAYS, 1) for day in (first, min(last, on)))
    value = longest if longest == shortest else Sentence("range", low=shortest, high=longest)
    day = str(first) if first == last else Sentence("range", low=str(first), high=str(last))
    return DURATION.known(
        value, Sentence("found_since", day=day), (event.identity for event in onsets)
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts of NEDA-3.

    Attributes:
        active: whether there is activity; None where that is not known.
        words: what there is, or what is missing.
        inputs: identities of events, keys of studies.
    """

    active: bool | None
    words: Text
    inputs: tuple[str, ...]


def neda3(course: Course) -> RuleResult:
    """Whether there was no evidence of disease activity between the last two compared scans."""
    if problems := course.contradicted("edss", "relapse", "relapse_review", "enhancing_lesions"):
        return NEDA3.unknown(problems)
    compared = compared_studies(course)
    if not compared:
        return NEDA3.unknown([Sentence("want_compared")])
    newest = compared[-1]
    start, end = newest.prior, newest.day
    parts = (
        _relapses(course, start, end),
        _worsening(course, start, end),
        _lesions(newest),
        _enhancing(course, start, end),
    )
    used = {newest.study_key, *(name for part in parts for name in part.inputs)}
    period = _period(start, end)
    if active := [part.words for part in parts if part.active]:
        words = Sentence("in_period", period=period, what=listed(active))
        return NEDA3.known(NO, words, used)
    if missing := [part.words for part in parts if part.active is None]:
        return NEDA3.unknown(missing, used)
    words = Sentence("in_period", period=period, what=Sentence("found_no_activity"))
    return NEDA3.known(YES, words, used)


def _period(first: date, last: date) -> Sentence:
    return Sentence("period", first=str(first), last=str(last))


@dataclass(frozen=True, slots=True)
class Compared:
    """A study that was compared with one of an earlier day; see `Imaging`."""

    study_key: str
    prior: date
    day: date
    new: int
    enlarging: int | None


def compared_studies(course: Course) -> list[Compared]:
    """All of them, oldest first."""
    return [
        Compared(one.study_key, one.prior, one.day, one.new, one.enlarging)
        for one in course.imaging
        if one.new is not None and one.day and one.prior and one.prior < one.day
    ]


def _relapses(course: Course, start: date, end: date) -> Part:
    found = count_relapses(course, start, end)
    used = tuple(event.identity for event in (*found.events, *course.of("relapse_review")))
    if found.low:
        return Part(True, Sentence("found_relapses"), used)
    if not course.is_reviewed(start, end):
        return Part(None, review_wanted(start, end), used)
    if found.high:
        return Part(None, joined(found.missing), used)
    return Part(False, Sentence("found_no_relapse"), used)


def _worsening(course: Course, start: date, end: date) -> Part:
    scores = course.edss()
    used = tuple(score.event for score in scores)
    found = worsenings(scores, 24)
    if any(start < one.onset <= end for one in found.confirmed):
        return Part(True, Sentence("found_worsening"), used)
    days = [score.day for score in scores]
    far = [scan for scan in (start, end) if not _near(scan, days, NEAR)]
    if far:
        return Part(None, _edss_near(far), used)
    if found.pending and found.pending <= end:
        return Part(None, Sentence("want_edss_24", day=str(found.pending)), used)
    return Part(False, Sentence("found_no_edss_worsening"), used)


def _edss_near(scans: Sequence[date]) -> Sentence:
    if len(scans) == 1:
        return Sentence("want_edss_near", day=str(scans[0]))
    return Sentence("want_edss_near_both", first=str(scans[0]), second=str(scans[1]))


def _lesions(newest: Compared) -> Part:
    used = (newest.study_key,)
    if newest.new or newest.enlarging:
        words = Sentence("found_lesions", new=newest.new, enlarging=newest.enlarging or 0)
        return Part(True, words, used)
    if newest.enlarging is None:
        return Part(None, Sentence("want_enlarging"), used)
    return Part(False, Sentence("found_no_lesion"), used)


def _enhancing(course: Course, start: date, end: date) -> Part:
    counts = [
        e for e in course.of("enhancing_lesions") if e.day and start < e.day <= end + SAME_VISIT
    ]
    used = tuple(event.identity for event in counts)
    if any(int(event.value) for event in counts):
        return Part(True, Sentence("found_enhancing"), used)
    if _near(end, (event.day for event in counts if event.day), SAME_VISIT):
        return Part(False, Sentence("found_no_enhancing"), used)
    return Part(None, Sentence("want_enhancing", day=str(end)), used)


def _near(day: date, others: Iterable[date], within: timedelta) -> bool:
    return any(abs(other - day) <= within for other in others)

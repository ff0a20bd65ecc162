"""Relapse rate, disease duration and NEDA-3."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from msnode.twin.clinical.course import Course
from msnode.twin.clinical.relapse_count import DAY, count_relapses
from msnode.twin.rules.disability import worsenings
from msnode.twin.rules.rule_result import Rule, RuleResult

YEAR_DAYS = 365.25
LEAST_DAYS = 365
"""Of a relapse rate."""
NEAR = timedelta(days=90)
"""An EDSS so near to a scan stands for the patient's state at the scan."""
SAME_VISIT = timedelta(days=30)
"""A count of enhancing lesions so near to a scan is that of the scan."""

RELAPSE_RATE = Rule(
    "relapse rate",
    "relapses a year, in the time of which all relapses are on record (relapse_review); what "
    "begins less than 30 days after the begin of a relapse is of the same one. This program's "
    "choice: it wants a year at least, as one relapse in a month is no rate of twelve a year",
    "for what one relapse is: McDonald et al., Ann Neurol 2001;50:121",
)
DURATION = Rule(
    "disease duration",
    "years from the first symptom (onset) to the day asked for",
    "none, plain arithmetic",
)
NEDA3 = Rule(
    "NEDA-3",
    "no evidence of disease activity from the earlier to the later scan of the newest comparison: "
    "no relapse; no EDSS worsening confirmed at 24 weeks with onset in that time; no new or "
    "enlarging T2 lesion, no enhancing lesion. This program's choice: relapses are absent only "
    "where a relapse_review covers the time; an EDSS is wanted within 90 days of each scan, and "
    "a count of enhancing lesions within 30 days of the later one",
    "Giovannoni et al., Mult Scler Relat Disord 2015;4:329",
)


def relapse_rate(course: Course) -> RuleResult:
    """Relapses a year."""
    if problems := course.contradicted("relapse", "relapse_review"):
        return RELAPSE_RATE.unknown(problems)
    spans = course.reviewed()
    days = sum((last - first).days for first, last in spans)
    if days < LEAST_DAYS:
        why = f"relapse_review of a year at least: all relapses of {days} days are on record"
        return RELAPSE_RATE.unknown([why], (e.identity for e in course.of("relapse_review")))
    counts = [count_relapses(course, first - DAY, last) for first, last in spans]
    inside = [event for count in counts for event in count.events]
    years = days / YEAR_DAYS
    used = [event.identity for event in (*inside, *course.of("relapse_review"))]
    low, high = sum(count.low for count in counts), sum(count.high for count in counts)
    if low != high:
        return RELAPSE_RATE.unknown((why for count in counts for why in count.missing), used)
    words = f"{low} in {years:.2f} years of which all are on record"
    return RELAPSE_RATE.known(round(low / years, 3), words, used)


def disease_duration(course: Course, on: date) -> RuleResult:
    """Years since the first symptom."""
    onsets = course.of("onset")
    if problems := course.contradicted("onset"):
        return DURATION.unknown(problems)
    if not onsets:
        return DURATION.unknown(["the day of onset"])
    if min(e.span[0] for e in onsets) > on:
        return DURATION.unknown([f"a day after the onset; {on} is before"])
    first, last = max(e.span[0] for e in onsets), min(e.span[1] for e in onsets)
    longest, shortest = (round((on - day).days / YEAR_DAYS, 1) for day in (first, min(last, on)))
    value = longest if longest == shortest else f"{shortest} to {longest}"
    since = f"since {first}" if first == last else f"since {first} to {last}"
    return DURATION.known(value, since, (event.identity for event in onsets))


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts of NEDA-3.

    Attributes:
        active: whether there is activity; None where that is not known.
        words: what there is, or what is missing.
        inputs: identities of events, keys of studies.
    """

    active: bool | None
    words: str
    inputs: tuple[str, ...]


def neda3(course: Course) -> RuleResult:
    """Whether there was no evidence of disease activity between the last two compared scans."""
    if problems := course.contradicted("edss", "relapse", "relapse_review", "enhancing_lesions"):
        return NEDA3.unknown(problems)
    compared = compared_studies(course)
    if not compared:
        return NEDA3.unknown(["two scans of known date that the node has compared"])
    newest = compared[-1]
    start, end = newest.prior, newest.day
    parts = (
        _relapses(course, start, end),
        _worsening(course, start, end),
        _lesions(newest),
        _enhancing(course, start, end),
    )
    used = {newest.study_key, *(name for part in parts for name in part.inputs)}
    period = f"{start} to {end}"
    if active := [part.words for part in parts if part.active]:
        return NEDA3.known("no", f"{period}: {', '.join(active)}", used)
    if missing := [part.words for part in parts if part.active is None]:
        return NEDA3.unknown(missing, used)
    return NEDA3.known("yes", f"{period}: no activity", used)


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
        return Part(True, "relapse(s)", used)
    if not course.is_reviewed(start, end):
        return Part(None, f"a relapse_review from {start} to {end}", used)
    if found.high:
        return Part(None, "; ".join(found.missing), used)
    return Part(False, "no relapse", used)


def _worsening(course: Course, start: date, end: date) -> Part:
    scores = course.edss()
    used = tuple(score.event for score in scores)
    found = worsenings(scores, 24)
    if any(start < one.onset <= end for one in found.confirmed):
        return Part(True, "confirmed EDSS worsening", used)
    days = [score.day for score in scores]
    far = [scan for scan in (start, end) if not _near(scan, days, NEAR)]
    if far:
        return Part(None, f"an EDSS within 90 days of {' and of '.join(map(str, far))}", used)
    if found.pending and found.pending <= end:
        return Part(None, f"an EDSS at least 24 weeks after {found.pending}", used)
    return Part(False, "no confirmed EDSS worsening", used)


def _lesions(newest: Compared) -> Part:
    used = (newest.study_key,)
    if newest.new or newest.enlarging:
        return Part(True, f"{newest.new} new, {newest.enlarging or 0} enlarging lesion(s)", used)
    if newest.enlarging is None:
        return Part(None, "the number of enlarging lesions", used)
    return Part(False, "no new or enlarging lesion", used)


def _enhancing(course: Course, start: date, end: date) -> Part:
    counts = [
        e for e in course.of("enhancing_lesions") if e.day and start < e.day <= end + SAME_VISIT
    ]
    used = tuple(event.identity for event in counts)
    if any(int(event.value) for event in counts):
        return Part(True, "enhancing lesion(s)", used)
    if _near(end, (event.day for event in counts if event.day), SAME_VISIT):
        return Part(False, "no enhancing lesion", used)
    return Part(None, f"a number of enhancing lesions within 30 days of {end}", used)


def _near(day: date, others: Iterable[date], within: timedelta) -> bool:
    return any(abs(other - day) <= within for other in others)

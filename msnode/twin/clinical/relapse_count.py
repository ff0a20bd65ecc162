"""How many relapses there were in a time, where of some only the year or the month is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from msnode.records.sentences import Sentence
from msnode.twin.clinical.course import RELAPSES_APART, Course
from msnode.twin.clinical.events import Event, kind_words

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RelapseCount:
    """A number of relapses, whatever the days that are not known.

    Attributes:
        low: at least.
        high: at most.
        events: those that were counted, or may have to be.
        missing: what it would take to know the number; empty where it is known.
    """

    low: int
    high: int
    events: tuple[Event, ...]
    missing: tuple[Sentence, ...]


def count_relapses(course: Course, after: date, until: date) -> RelapseCount:
    """Relapses that began in (after, until].

    With whole dates only, it is the number of `Course.relapses`. Else the bounds hold for all days
    that the dates allow, but are not always the narrowest: a relapse shortly before the time may or
    may not swallow the first one in it.
    """
    exact = course.relapses(after, until)
    touching = course.vague_relapses(_free_before(course, after) + DAY, until)
    if not touching:
        return RelapseCount(len(exact), len(exact), exact, ())
    vague = course.vague_relapses(after + DAY, until)
    whole = [event for event in course.of("relapse") if event.last is None]
    within = [event for event in whole if event.day and after < event.day <= until]
    certain = [event for event in vague if after < event.span[0] and event.span[1] <= until]
    high = max(len(exact), _fewest(within)) + len(vague)
    low = _fewest([*within, *certain])
    if low and _may_begin(course.of("relapse"), after - RELAPSES_APART + DAY, after):
        low -= 1
    missing = tuple(whole_date(event) for event in vague or touching) if low != high else ()
    return RelapseCount(low, high, (*within, *vague), missing)


def whole_date(event: Event) -> Sentence:
    """What is missing, of a date that is known in part."""
    return Sentence("want_date", kind=kind_words(event.kind), when=event.when)


def review_wanted(first: date, last: date) -> Sentence:
    """What is missing, of a time in which there may be relapses that are not on record."""
    return Sentence("want_review", first=str(first), last=str(last))


def _free_before(course: Course, day: date) -> date:
    """The last day, not after another, that ends 30 days in which no relapse can have begun.

    What is before these days has no say in what is one relapse after them.
    """
    spans = [event.span for event in course.of("relapse")]
    for first, last in sorted(spans, key=lambda span: span[1], reverse=True):
        if first <= day and last > day - RELAPSES_APART:
            day = first - DAY
    return day


def _may_begin(events: Iterable[Event], first: date, last: date) -> bool:
    return any(event.span[0] <= last and first <= event.span[1] for event in events)


def _fewest(events: list[Event]) -> int:
    """The least number of relapses that these can be, each within 30 days of the first of its own.

    As few points as touch all spans, where a point stands for the 30 days from it on.
    """
    number, point = 0, date.min
    for first, last in sorted((event.span for event in events), key=lambda span: span[1]):
        if not number or first - point >= RELAPSES_APART:
            number, point = number + 1, last
    return number

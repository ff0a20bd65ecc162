"""A patient's course: the events that hold and the studies, with what contradicts itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from msnode.records.lesions import Region
from msnode.records.sentences import Sentence
from msnode.twin.clinical.events import Event, Sifted, kind_words, order, sift

RELAPSES_APART = timedelta(days=30)
"""What begins sooner after the begin of a relapse is of the same one (McDonald et al., Ann Neurol
2001)."""
ONCE = ("birth_year", "sex", "onset")
"""Kinds of which one value, or day, is true for life."""
ONCE_A_DAY = (
    "edss", "diagnosis", "enhancing_lesions", "ocb", "spinal_cord_lesion", "optic_nerve_lesion",
)  # fmt: skip
"""Kinds of which one value is true on a day."""

SYMPTOMATIC = ("CIS", "RRMS", "SPMS", "PPMS")
"""Diagnoses that nobody has without a symptom; RIS is one without."""


@dataclass(frozen=True, slots=True)
class Imaging:
    """What the node found in a study; None where it looked for nothing, or compared nothing.

    Attributes:
        study_key: `records.uid_hash.study_key`.
        day: of the study; None where it has no date.
        prior: day of the study that it was compared with.
        lesion_count: number of lesions outlined.
        lesion_ml: their volume.
        new: number of lesions that are new since then.
        enlarging: likewise.
        network: digest of the network that outlined them.
        regions: ml by region; () in results of older versions.
    """

    study_key: str
    day: date | None
    prior: date | None = None
    lesion_count: int | None = None
    lesion_ml: float | None = None
    new: int | None = None
    enlarging: int | None = None
    network: str | None = None
    regions: tuple[tuple[Region, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Events that cannot all be true; what needs their kind is unknown until one is corrected.

    Attributes:
        kind: see `event_kinds.KINDS`.
        why: in words.
        events: their identities.
    """

    kind: str
    why: Sentence
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a day.

    Attributes:
        day: of it.
        value: in the unit of its kind.
        event: identity of the event that says so.
    """

    day: date
    value: float
    event: str


@dataclass(frozen=True, slots=True)
class Course:
    """What the rules look at.

    Attributes:
        events: those that hold, in `events.order`.
        imaging: by date, without a date first.
        contradictions: in the record.
    """

    events: tuple[Event, ...]
    imaging: tuple[Imaging, ...]
    contradictions: tuple[Contradiction, ...]

    def of(self, *kinds: str) -> tuple[Event, ...]:
        """The events of some kinds."""
        return tuple(event for event in self.events if event.kind in kinds)

    def contradicted(self, *kinds: str) -> tuple[Sentence, ...]:
        """Why events of these kinds cannot be used; nothing where they can."""
        return tuple(c.why for c in self.contradictions if c.kind in kinds)

    def edss(self) -> tuple[Measure, ...]:
        """EDSS, one a day, oldest first."""
        by_day = {
            event.day: Measure(event.day, float(event.value), event.identity)
            for event in self.of("edss")
            if event.day is not None
        }
        return tuple(by_day[day] for day in sorted(by_day))

    def relapses(self, after: date = date.min, until: date = date.max) -> tuple[Event, ...]:
        """Relapses that began in (after, until], each at least 30 days after the one before.

        Those of which only the year or month is known are not among them; see `count_relapses`.
        """
        found: list[tuple[date, Event]] = []
        for event in self.of("relapse"):
            if (
                event.day
                and event.last is None
                and (not found or event.day - found[-1][0] >= RELAPSES_APART)
            ):
                found.append((event.day, event))
        return tuple(event for day, event in found if after < day <= until)

    def vague_relapses(self, first: date, last: date) -> tuple[Event, ...]:
        """Relapses known by year or month only that may have begun from one day to another."""
        return tuple(
            event
            for event in self.of("relapse")
            if event.last and event.span[0] <= last and first <= event.span[1]
        )

    def reviewed(self) -> tuple[tuple[date, date], ...]:
        """Spans, first and last day, of which all relapses are on record; they do not touch."""
        spans: list[tuple[date, date]] = []
        for first, last in sorted(
            (date.fromisoformat(event.value), event.day)
            for event in self.of("relapse_review")
            if event.day is not None
        ):
            if spans and first <= spans[-1][1] + timedelta(days=1):
                spans[-1] = spans[-1][0], max(last, spans[-1][1])
            else:
                spans.append((first, last))
        return tuple(spans)

    def is_reviewed(self, first: date, last: date) -> bool:
        """Whether all relapses from one day to another are on record."""
        return any(begin <= first and last <= end for begin, end in self.reviewed())


def course(events: Iterable[Event], imaging: Iterable[Imaging], on: date) -> tuple[Course, Sifted]:
    """A patient's course up to a day, and what became of the corrections.

    Corrections hold whatever their own day. The order of arrival makes no difference.
    """
    told = {event.identity: event for event in events}
    sifted = sift(told.values())
    valid = tuple(event for event in sifted.valid if event.day is None or event.day <= on)
    seen = {study for study in imaging if study.day is None or study.day <= on}
    studies = sorted(seen, key=lambda one: (str(one.day or ""), one.study_key))
    unclear = _unclear(sorted(told.values(), key=order))
    contradictions = (*_contradictions(valid, sifted.circular), *unclear)
    return Course(valid, tuple(studies), contradictions), sifted


def _contradictions(
    valid: tuple[Event, ...], circular: tuple[Event, ...]
) -> Iterator[Contradiction]:
    for kind in ONCE:
        mine = [event for event in valid if event.kind == kind]
        if len({event.value for event in mine}) > 1 or not _common(mine):
            yield _told(kind, Sentence("against_two_ways", kind=kind_words(kind)), mine)
    for kind in ONCE_A_DAY:
        yield from _on_one_day([event for event in valid if event.kind == kind])
    yield from _of_one_name(valid)
    yield from _before_birth(valid)
    yield from _before_onset(valid)
    for kind in sorted({event.kind for event in circular}):
        yield _told(kind, Sentence("against_circle"), circular)


def _common(events: list[Event]) -> bool:
    """Whether onsets may all be of one day."""
    spans = [event.span for event in events if event.kind == "onset"]
    return not spans or max(s[0] for s in spans) <= min(s[1] for s in spans)


def _told(kind: str, why: Sentence, events: Iterable[Event]) -> Contradiction:
    return Contradiction(kind, why, tuple(e.identity for e in sorted(events, key=order)))


def _on_one_day(events: list[Event]) -> Iterator[Contradiction]:
    """Two values of one kind on one day."""
    whole = [event for event in events if event.last is None]
    for day in sorted({event.day for event in whole if event.day}):
        mine = [event for event in whole if event.day == day]
        if len({event.value for event in mine}) > 1:
            kind = mine[0].kind
            why = Sentence("against_two_values", kind=kind_words(kind), day=str(day))
            yield _told(kind, why, mine)


def _of_one_name(events: tuple[Event, ...]) -> Iterator[Contradiction]:
    """Different events under one identifier, none of which corrects another."""
    for name in sorted({event.identifier for event in events} - {""}):
        mine = [event for event in events if event.identifier == name]
        if len(mine) > 1:
            for kind in sorted({event.kind for event in mine}):
                yield _told(kind, Sentence("against_identifier", kind=kind_words(kind)), mine)


def _unclear(events: list[Event]) -> Iterator[Contradiction]:
    """Corrections by an identifier that several events have: which of them was meant?

    To correct or withdraw all but one of these by their identities settles it.
    """
    settled = {event.replaces for event in events}
    for name in sorted(settled - {""}):
        mine = [e for e in events if e.identifier == name and e.identity not in settled]
        if len(mine) > 1:
            for kind in sorted({event.kind for event in mine}):
                yield _told(kind, Sentence("against_names_two", kind=kind_words(kind)), mine)


def _before_birth(events: tuple[Event, ...]) -> Iterator[Contradiction]:
    """What happened before the year of birth."""
    births = [event for event in events if event.kind == "birth_year"]
    if len({birth.value for birth in births}) != 1:
        return
    for event in events:
        if event.day and event.kind != "birth_year" and event.span[1].year < int(births[0].value):
            why = Sentence("against_birth", kind=kind_words(event.kind), when=event.when)
            for kind in (event.kind, "birth_year"):
                yield _told(kind, why, [event, *births])


def _before_onset(events: tuple[Event, ...]) -> Iterator[Contradiction]:
    """What comes with symptoms, yet before the first one; only the onset is doubted for it."""
    onsets = [event for event in events if event.kind == "onset" and event.day]
    for event in events:
        symptomatic = event.kind == "relapse" or (
            event.kind == "diagnosis" and event.value in SYMPTOMATIC
        )
        for onset in onsets if symptomatic else ():
            if event.day and event.span[1] < onset.span[0]:
                why = Sentence(
                    "against_onset", kind=kind_words(event.kind), when=event.when, onset=onset.when
                )
                yield _told("onset", why, [event, onset])

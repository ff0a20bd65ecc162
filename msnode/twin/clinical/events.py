"""A clinical event: something that was so, or was measured, on a day. It is never changed."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from msnode.records.sentences import Sentence

IDENTITY_DIGITS = 32
"""Hex digits of `Event.identity`: 128 bits of SHA-256."""
VERSION = "@"
FED = "fhir/"
"""Begins what the resources of other systems are called here: all of them come as versions, of
which the first replaces nothing."""
DIGITS = 20
"""Of a time with microseconds."""
TIME = re.compile("[0-9]{14}(?:[0-9]{6})?")
"""What is called NAME@TIME and replaces NAME is a version of it, and replaces all earlier versions,
too, whichever of them has arrived."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is on record; its values are in one spelling each (`event_kinds.KINDS`).

    Attributes:
        kind: a key of `event_kinds.KINDS`.
        day: on which it was so, or the first on which it may have been; None where the kind needs
            none.
        value: "" where the kind has none.
        unit: UCUM; "" where the value has none.
        detail: functional systems or hand, as KEY=VALUE;KEY=VALUE in alphabetical order.
        note: free text.
        identifier: the site's own name of the event; "" where it has none.
        replaces: identity or identifier of the event that this one corrects; "" for none.
        last: last day on which it may have been, where only its year or month is known.
    """

    kind: str
    day: date | None
    value: str = ""
    unit: str = ""
    detail: str = ""
    note: str = ""
    identifier: str = ""
    replaces: str = ""
    last: date | None = None

    @property
    def when(self) -> str:
        """The date as far as it is known: YYYY-MM-DD, YYYY-MM, YYYY, or nothing."""
        if self.day is None:
            return ""
        if self.last is None:
            return self.day.isoformat()
        return f"{self.day:%Y}" if self.day.month != self.last.month else f"{self.day:%Y-%m}"

    @property
    def span(self) -> tuple[date, date]:
        """First and last day on which it may have been; of what has no date, any."""
        if self.day is None:
            return date.min, date.max
        return self.day, self.last or self.day

    @property
    def about(self) -> date | None:
        """The middle of the span: where a formula, or a drawing, needs one day."""
        if self.day is None or self.last is None:
            return self.day
        return self.day + (self.last - self.day) / 2

    @property
    def identity(self) -> str:
        """Hash of the content: the same row again is the same event, from whatever file.

        The patient is not in it, as one patient may have two keys (`store.patients`), and as an
        exported correction is to find its event on another node, too.
        """
        # not by asdict: its deep copies would be most of the time of many a command
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        content["day"] = self.when
        del content["last"]  # it is in the date
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_DIGITS]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an event came from; no part of what it says.

    Attributes:
        source: csv, fhir or hl7.
        file: its name, without the folder.
        line: in it, or number of the entry, from 1.
        imported_at: unix s.
        imported_by: account on the host that imported it.
    """

    source: str
    file: str
    line: int
    imported_at: float
    imported_by: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the table has it."""

    patient_key: str
    event: Event
    provenance: Provenance


def kind_words(kind: str) -> Sentence:
    """A kind by its name in words; in English as the CSV has it."""
    return Sentence(f"event_{kind}")


def order(event: Event) -> tuple[str, str, str]:
    """Sorts by day (without one: first), then kind, then identity: the same for all arrivals."""
    return event.when, event.kind, event.identity


def may_coincide(one: Event, other: Event) -> bool:
    """Whether it is open which of two came first, as a date is not known to the day."""
    vague = one.last is not None or other.last is not None
    return vague and one.span[0] <= other.span[1] and other.span[0] <= one.span[1]


@dataclass(frozen=True, slots=True)
class Sifted:
    """Events after their corrections.

    Attributes:
        valid: in `order`.
        replaced: named by a correction or withdrawal.
        circular: events that replace each other in a circle; none of them is valid.
        dangling: corrections that name no event on record (yet); they are valid themselves.
    """

    valid: tuple[Event, ...]
    replaced: tuple[Event, ...]
    circular: tuple[Event, ...]
    dangling: tuple[Event, ...]


def sift(events: Iterable[Event]) -> Sifted:
    """Which of a patient's events hold, whatever order they came in, and however often.

    An event that another one of its kind, or a withdrawal, names in ``replaces`` holds no more,
    also where the correction was corrected in its turn.
    """
    distinct = sorted({event.identity: event for event in events}.values(), key=order)
    named = _by_name(distinct)
    kinds = {event.identity: event.kind for event in distinct}
    targets = {
        event.identity: [
            t
            for t in named.get(event.replaces, ())
            if t != event.identity and event.kind in (kinds[t], "withdrawn")
        ]
        for event in distinct
    }
    for versions in _versions(distinct).values():
        for when, identity in versions:
            targets[identity] += [
                other
                for before, other in versions
                # of two at one time neither is the later: they contradict; a withdrawal holds
                if before < when
                or (before == when and kinds[identity] == "withdrawn" != kinds[other])
            ]
    gone = {target for of_one in targets.values() for target in of_one}
    circular = {start for start in gone if _reaches(start, start, targets)}
    return Sifted(
        valid=tuple(e for e in distinct if e.identity not in gone and e.kind != "withdrawn"),
        replaced=tuple(e for e in distinct if e.identity in gone),
        circular=tuple(e for e in distinct if e.identity in circular),
        dangling=tuple(
            e
            for e in distinct
            if e.replaces and not targets[e.identity] and not e.replaces.startswith(FED)
        ),
    )


def _by_name(events: Iterable[Event]) -> dict[str, list[str]]:
    """Identities by each name under which a correction may call them."""
    named: dict[str, list[str]] = {}
    for event in events:
        for name in filter(None, {event.identity, event.identifier}):
            named.setdefault(name, []).append(event.identity)
    return named


def _versions(events: Iterable[Event]) -> dict[str, list[tuple[str, str]]]:
    """Times and identities of the versions of what has one name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for event in events:
        name, _, when = event.identifier.rpartition(VERSION)
        if name and name == event.replaces and TIME.fullmatch(when):
            found.setdefault(event.replaces, []).append((when.ljust(DIGITS, "0"), event.identity))
    return found


def _reaches(start: str, end: str, targets: dict[str, list[str]]) -> bool:
    """Whether the chain of corrections from one event comes to another."""
    seen: set[str] = set()
    waiting = list(targets.get(start, ()))
    while waiting:
        here = waiting.pop()
        if here == end:
            return True
        if here not in seen:
            seen.add(here)
            waiting += targets.get(here, ())
    return False

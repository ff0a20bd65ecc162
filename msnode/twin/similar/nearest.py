"""Patients of the node's own record who once were as a patient is, and what became of them."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from heapq import nsmallest

import sqlalchemy as sa

from msnode.store.database import clinical_events, results, studies
from msnode.store.patients import ID_DIGITS, merged_pairs, same_patient
from msnode.twin.clinical.course import Course, course
from msnode.twin.clinical.event_store import recorded
from msnode.twin.expect.lesion_rate import disjoint
from msnode.twin.history import Entry
from msnode.twin.patient_state import imaging
from msnode.twin.rules.activity import YEAR_DAYS, compared_studies
from msnode.twin.similar.features import Distance, Features, distance, feature_history

NAME_DIGITS = 8
"""Of the hash of an ID: enough to tell patients apart, too few to look one up by."""
PAGE = 200
"""Patients that are read at once."""


@dataclass(frozen=True, slots=True)
class Became:
    """What became of somebody; None where it is not known.

    Attributes:
        years: from the day to the last thing on record.
        new_lesions: in the compared intervals since.
        compared_years: how long these are together.
        load: change, ml, between scans that one network outlined.
        edss: change.
    """

    years: float
    new_lesions: int | None
    compared_years: float
    load: float | None
    edss: float | None


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody who once was alike.

    Attributes:
        name: the first hex digits of the hash of his ID.
        on: day of the scan on which he was nearest.
        distance: how near.
        known: what was known of him then.
        became: what became of him since.
    """

    name: str
    on: date
    distance: Distance
    known: Features
    became: Became


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest patients.

    Attributes:
        matches: nearest first.
        patients: number of others of whom enough is known to compare.
        is_cut: whether the time was over before all were compared.
    """

    matches: tuple[Match, ...]
    patients: int
    is_cut: bool = False


def nearest(
    engine: sa.Engine,
    own: Iterable[str],
    known: Features,
    number: int,
    seconds: float = math.inf,
) -> Nearest:
    """Who of the other patients once was most alike.

    All patients are read, one after the other; none is kept but the nearest. They come in the order
    of a keyed hash, so that those who are read before the time is over are a sample of all.

    Args:
        engine: the database.
        own: keys of the patient.
        known: of the patient.
        number: of matches that are wanted.
        seconds: that it may take.
    """
    mine, end = frozenset(own), time.monotonic() + seconds
    compared, is_cut = 0, False

    def matches() -> Iterator[Match]:
        nonlocal compared, is_cut
        for key, one in everybody(engine):
            if is_cut := time.monotonic() > end:
                return
            match = None if key in mine else _match(key, one, known)
            if match is not None:
                compared += 1
                yield match

    found = nsmallest(number, matches(), key=lambda match: (match.distance.value, match.name))
    return Nearest(tuple(found), compared, is_cut)


def _match(key: str, one: Course, known: Features) -> Match | None:
    """The day of a scan on which somebody was nearest."""
    best: tuple[float, date, Distance, Features] | None = None
    told = feature_history(one)
    for day in sorted({scan.day for scan in one.imaging if scan.day}):
        there = told.at(day)
        apart = distance(known, there)
        if apart is not None and (best is None or apart.value < best[0]):
            best = apart.value, day, apart, there
    if best is None:
        return None
    _, day, apart, there = best
    return Match(key[:NAME_DIGITS], day, apart, there, _became(one, day, there))


def _became(one: Course, on: date, there: Features) -> Became:
    """What became of somebody since a day."""
    days = [d for d in (*(s.day for s in one.imaging), *(e.day for e in one.events)) if d]
    used = disjoint(c for c in compared_studies(one) if c.prior >= on)
    scans = [s for s in one.imaging if s.day and s.day >= on and s.lesion_ml is not None]
    then = [s for s in scans if s.network == scans[0].network]
    scores = [s for s in one.edss() if s.day > on]
    known = there.edss is not None and scores and not one.contradicted("edss")
    return Became(
        years=round((max(days) - on).days / YEAR_DAYS, 2),
        new_lesions=sum(c.new for c in used) if used else None,
        compared_years=round(sum((c.day - c.prior).days for c in used) / YEAR_DAYS, 2),
        load=_change(then[0].lesion_ml, then[-1].lesion_ml) if len(then) > 1 else None,
        edss=_change(there.edss, scores[-1].value) if known else None,
    )


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round(after - before, 2)


def everybody(engine: sa.Engine) -> Iterator[tuple[str, Course]]:
    """The course of everyone with a result, by one of his keys.

    Some are read at a time: memory does not grow with their number, and nobody waits long.
    """
    with engine.connect() as connection:
        merges = merged_pairs(connection)
    groups = _merged_ids(merges)
    for group in groups:
        with engine.connect() as connection:
            rows = _rows(connection, group)
        yield from _courses(*rows, merges)
    apart = frozenset().union(*groups)
    after = ""
    while True:
        of_id = sa.func.substr(studies.c.patient_key, 1, ID_DIGITS)
        later = studies.c.patient_key > after
        page = sa.select(of_id).where(later).distinct().order_by(of_id).limit(PAGE)
        with engine.connect() as connection:
            ids = list(connection.scalars(page))
            if not ids:
                return
            entries, events = map(_by_id, _rows(connection, (ids[0],), ids[-1]))
        after = ids[-1] + "g"  # the digits end at f
        for digits in ids:
            if digits not in apart:
                yield from _courses(entries.get(digits, []), events.get(digits, []))


def _merged_ids(merges: Iterable[tuple[str, str]]) -> list[frozenset[str]]:
    """The digits of the IDs that merges bring together, patient by patient."""
    ids = [tuple(key[:ID_DIGITS] for key in pair) for pair in merges]
    groups: list[frozenset[str]] = []
    for pair in ids:
        touched = [group for group in groups if not group.isdisjoint(pair)]
        groups = [group for group in groups if group not in touched]
        groups.append(frozenset(pair).union(*touched))
    return groups


def _rows(
    connection: sa.Connection, ids: Iterable[str], last: str | None = None
) -> tuple[list[sa.RowMapping], list[sa.RowMapping]]:
    """Results and events of some IDs; with ``last``, of all from the first one to it."""

    def mine(column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        return sa.or_(*(sa.and_(column >= one, column < (last or one) + "g") for one in ids))

    of_study, of_event = studies.c.patient_key, clinical_events.c.patient_key
    joined = sa.select(of_study, results).join(studies, studies.c.study_key == results.c.study_key)
    entries = connection.execute(joined.where(mine(of_study))).mappings()
    events = connection.execute(sa.select(clinical_events).where(mine(of_event))).mappings()
    return list(entries), list(events)


def _by_id(rows: Iterable[sa.RowMapping]) -> dict[str, list[sa.RowMapping]]:
    """Rows by the digits that stand for the PatientID."""
    found: dict[str, list[sa.RowMapping]] = {}
    for row in rows:
        found.setdefault(row["patient_key"][:ID_DIGITS], []).append(row)
    return found


def _courses(
    entries: list[sa.RowMapping],
    events: list[sa.RowMapping],
    merges: Iterable[tuple[str, str]] = (),
) -> Iterator[tuple[str, Course]]:
    """The courses of those who have these IDs: mostly one patient with one ID."""
    known = {row["patient_key"] for row in (*entries, *events)}
    seen: set[str] = set()
    for key in sorted(known):
        keys = same_patient(key, known, merges)
        if key in seen:
            continue
        seen |= keys
        mine = [_entry(row) for row in entries if row["patient_key"] in keys]
        told = [recorded(row).event for row in events if row["patient_key"] in keys]
        if mine:
            yield key, course(told, imaging(mine), date.max)[0]


def _entry(row: sa.RowMapping) -> Entry:
    return Entry(**{name: row[name] for name in Entry.__dataclass_fields__})

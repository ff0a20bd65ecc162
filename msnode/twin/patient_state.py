"""The state of a patient: computed from the record, never kept, the same for any arrival."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from msnode.records.dicom_date import day_of
from msnode.records.sentences import Sentence
from msnode.twin.clinical.course import Contradiction, Course, Imaging, course
from msnode.twin.clinical.events import Event, may_coincide
from msnode.twin.clinical.relapse_count import count_relapses
from msnode.twin.history import Entry, newest
from msnode.twin.rules import NO_TABLES, all_rules
from msnode.twin.rules.rule_result import RuleResult
from msnode.twin.rules.severity import Tables

YEAR = timedelta(days=366)
"""From the ends of all dates, so that days before and after can be counted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record says outright; None where it says nothing, or contradicts itself.

    Attributes:
        birth_year: year.
        sex: F, M or O.
        diagnosis: the latest; see `event_kinds.DIAGNOSES`.
        edss: the latest.
        edss_day: its day.
        treatments: begun and not stopped; None where dates in part leave that open.
        relapses: number on record, which need not be all; "1 to 2" where dates in part leave it
            open whether two are one.
    """

    birth_year: int | None
    sex: str | None
    diagnosis: str | None
    edss: float | None
    edss_day: date | None
    treatments: tuple[str, ...] | None
    relapses: int | Sentence


@dataclass(frozen=True, slots=True)
class PatientState:
    """All that is known of a patient on a day.

    Attributes:
        on: the day; events of a later day are left out.
        events: that hold, by day.
        replaced: by a correction, or withdrawn.
        dangling: corrections of events that are not on record (yet).
        contradictions: what has to be corrected.
        imaging: of the studies, by day.
        facts: see there.
        rules: what the rules say.
    """

    on: date
    events: tuple[Event, ...]
    replaced: tuple[Event, ...]
    dangling: tuple[Event, ...]
    contradictions: tuple[Contradiction, ...]
    imaging: tuple[Imaging, ...]
    facts: Facts
    rules: tuple[RuleResult, ...]

    @property
    def course(self) -> Course:
        """What the rules looked at."""
        return Course(self.events, self.imaging, self.contradictions)


def state(
    events: Iterable[Event], studies: Iterable[Imaging], on: date, tables: Tables = NO_TABLES
) -> PatientState:
    """A patient's state.

    Args:
        events: as they came: in any order, twice, corrected.
        studies: likewise.
        on: the day that is asked for.
        tables: of severity scores.
    """
    found, sifted = course(events, studies, on)
    return PatientState(
        on=on,
        events=found.events,
        replaced=sifted.replaced,
        dangling=sifted.dangling,
        contradictions=found.contradictions,
        imaging=found.imaging,
        facts=_facts(found),
        rules=all_rules(found, on, tables),
    )


def imaging(entries: Iterable[Entry]) -> list[Imaging]:
    """The newest result of each study."""
    return [
        Imaging(
            study_key=entry.study_key,
            day=day_of(entry.study_date),
            prior=day_of(entry.prior_date),
            lesion_count=entry.lesion_count,
            lesion_ml=entry.lesion_ml,
            new=entry.new_lesions,
            enlarging=entry.enlarging_lesions,
            network=entry.lesion_digest,
            regions=tuple(json.loads(entry.lesion_regions or "{}").items()),
        )
        for entry in newest(entries)
    ]


def _facts(found: Course) -> Facts:
    birth = _latest(found, "birth_year")
    score = _latest(found, "edss")
    sex, diagnosis = _latest(found, "sex"), _latest(found, "diagnosis")
    return Facts(
        birth_year=int(birth.value) if birth else None,
        sex=sex.value if sex else None,
        diagnosis=diagnosis.value if diagnosis else None,
        edss=float(score.value) if score else None,
        edss_day=score.day if score else None,
        treatments=_treatments(found),
        relapses=_relapses(found),
    )


def _relapses(found: Course) -> int | Sentence:
    """How many relapses are on record."""
    count = count_relapses(found, date.min + YEAR, date.max - YEAR)
    low, high = count.low, count.high
    return low if low == high else Sentence("range", low=low, high=high)


def _latest(found: Course, kind: str) -> Event | None:
    """The latest event of a kind, unless these contradict each other or may be in another order."""
    events = found.of(kind)
    if not events or found.contradicted(kind):
        return None
    last = events[-1]
    unclear = any(may_coincide(last, e) and e.value != last.value for e in events)
    return None if unclear else last


def _treatments(found: Course) -> tuple[str, ...] | None:
    """Names of the treatments that were begun and not stopped since."""
    running: dict[str, str] = {}
    events = found.of("treatment_begun", "treatment_stopped")
    # of what may be one day, the begin comes before the stop
    for event in sorted(events, key=lambda e: (e.span[e.kind == "treatment_stopped"], e.kind)):
        if event.kind == "treatment_begun":
            running[event.value.casefold()] = event.value
        else:
            running.pop(event.value.casefold(), None)
    for one in events:
        mine = [e for e in events if e.value.casefold() == one.value.casefold()]
        begun = sum(e.kind == "treatment_begun" for e in mine)
        unclear = any(may_coincide(one, e) for e in mine if e is not one)
        if unclear and (2 * begun > len(mine)) != (one.value.casefold() in running):
            return None
    return tuple(sorted(running.values()))

"""Predictions: on record before a study is compared, scored after, counted for the metrics."""

import time
from collections.abc import Iterator
from datetime import date, timedelta

import sqlalchemy as sa

from msnode import metrics
from msnode.records.timeline import Timeline
from msnode.store.database import clinical_events, studies
from msnode.store.patients import ID_DIGITS, keys_of
from msnode.twin.clinical.course import Course, course
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.course_timeline import timeline
from msnode.twin.expect import prediction_store
from msnode.twin.expect.forecast import forecast
from msnode.twin.expect.prediction import prediction
from msnode.twin.expect.priors import Priors
from msnode.twin.expect.score import Scored, scored, summaries
from msnode.twin.history import Entry, Twin
from msnode.twin.patient_state import imaging

NEWEST = 500
"""Predictions whose coverage is a metric: of the present, and scored within seconds."""


class Expectations:
    """What is expected of studies, and how right that was.

    Args:
        twin: the record.
        priors: what is known of the population.
    """

    def __init__(self, twin: Twin, priors: Priors) -> None:
        self._twin = twin
        self._priors = priors

    def record(self, study_key: str, day: date, network: str) -> bool:
        """Put on record what is expected of a study, from what is known of earlier days.

        The first call for a study counts, whenever it is repeated: after a crash, for a later
        generation, when more is known.

        Args:
            study_key: of the study, which was not compared yet.
            day: of it.
            network: digest of the network that outlines it.

        Returns:
            Whether it is new.
        """
        patient = self._twin.patient(study_key)
        if not patient:
            return False  # without an ID, nothing is known of the patient, nor ever will be
        known = self._course(patient, day - timedelta(days=1), study_key)
        told = forecast(known, self._priors, day, network)
        made = prediction(told, study_key, time.time(), self._priors.digest, network)
        with self._twin.engine.begin() as connection:
            return prediction_store.add(connection, made)

    def timeline(self, now: Entry, day: date) -> Timeline | None:
        """The patient's course up to a study whose result is in the making, and what is expected.

        Args:
            now: the result, which is not recorded yet.
            day: of the study.

        Returns:
            None where the patient is not known, or nothing but this study is.
        """
        patient = self._twin.patient(now.study_key)
        if not patient:
            return None
        known = self._course(patient, day, now.study_key, now)
        told = timeline(known, forecast(known, self._priors, day, now.lesion_digest))
        return told if told.has_course else None

    def scored(self, patient_key: str) -> list[Scored]:
        """How right the predictions of a patient were, by all that is known by now."""
        with self._twin.engine.connect() as connection:
            made = prediction_store.of_patient(connection, patient_key)
        return list(scored(made, self._course(patient_key, date.max)))

    def _course(self, patient: str, until: date, without: str = "", *more: Entry) -> Course:
        """A patient's course up to a day.

        Args:
            patient: key of the patient.
            until: the day.
            without: key of a study whose recorded results are left out.
            more: results that are not recorded yet.
        """
        with self._twin.engine.connect() as connection:
            events = [one.event for one in of_patient(connection, patient)]
        entries = [one for one in self._twin.history(patient) if one.study_key != without]
        return course(events, imaging([*entries, *more]), until)[0]

    def scored_everywhere(self, newest: int | None = None) -> Iterator[Scored]:
        """The same of all patients.

        Args:
            newest: only of so many predictions that were made last; None for all.
        """
        with self._twin.engine.connect() as connection:
            keys, since = prediction_store.patients(connection, newest)
        seen: set[str] = set()
        for key in keys:
            if key not in seen:
                with self._twin.engine.connect() as connection:
                    seen.update(keys_of(connection, key))
                yield from (one for one in self.scored(key) if one.made_at >= since)

    def measure(self) -> None:
        """Set the metrics of the record."""
        for kind, number in self._events().items():
            metrics.CLINICAL_EVENTS.labels(kind).set(number)
        metrics.TWINS.set(self._twins())
        for one in summaries(self.scored_everywhere(NEWEST)):
            metrics.EXPECTATIONS_SCORED.labels(one.quantity).set(one.number)
            if one.coverage is not None:
                metrics.EXPECTATION_COVERAGE.labels(one.quantity).set(one.coverage)

    def _events(self) -> dict[str, int]:
        columns = clinical_events.c
        count = sa.func.count().label("number")
        query = sa.select(columns.kind, count).group_by(columns.kind)
        with self._twin.engine.connect() as connection:
            return {row.kind: row.number for row in connection.execute(query)}

    def _twins(self) -> int:
        """Patients with a study or a clinical event, by their IDs."""
        of_id = [
            sa.select(sa.func.substr(table.c.patient_key, 1, ID_DIGITS).label("of_id"))
            for table in (studies, clinical_events)
        ]
        every = sa.union(*of_id).subquery()
        query = sa.select(sa.func.count()).select_from(every).where(every.c.of_id != "")
        with self._twin.engine.connect() as connection:
            return connection.scalar(query) or 0

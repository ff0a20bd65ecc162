"""The durable steps that fetch a patient's earlier studies and keep them as visits.

What is fetched is prepared and outlined, and no more: it gets no result, and its images go once its
visit is kept. The comparison of the present study then finds the visit as it finds any other.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import sqlalchemy as sa

from msnode import metrics
from msnode.audit import Trail
from msnode.config import Config, PriorSource
from msnode.confined import Confined
from msnode.deliver.backoff import pause
from msnode.errors import MsnodeError, Refused, TryLater
from msnode.fetch import retrieval_audit
from msnode.fetch.choice import OTHER_PATIENT, Wanted, choose, differ
from msnode.fetch.limits import HOUR_S, until_allowed, until_open
from msnode.fetch.patient import Patient, read_patient
from msnode.fetch.way import Order, Taking, Way
from msnode.fetch.ways import way_to
from msnode.flow.analysis import unexpected
from msnode.flow.prior_visit import PriorVisits
from msnode.receive import Studies
from msnode.receive.dicom.sop_classes import TRANSFER_SYNTAXES
from msnode.records.dicom_date import day_of
from msnode.records.images import Study
from msnode.store.prior_searches import Fate, PriorSearches, PriorStudy, State

log = logging.getLogger(__name__)

ARRIVE_S = 5.0
"""A source may say that it has sent everything a little before it has."""


class Fetching(TypedDict):
    """What one attempt at a source came to.

    Attributes:
        arrived: keys of the studies that are here whole.
        pause_s: seconds until the next attempt; None where there is none.
        state: of the search, as in `State`.
        failed: whether something went wrong.
        detail: what did.
    """

    arrived: list[str]
    pause_s: float | None
    state: str
    failed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How received images are read.

    Attributes:
        glance: for a few headers.
        has_wanted: whether files, one a series, include one that the classifier wants.
        kinds: of image that it wants.
    """

    glance: Confined
    has_wanted: Callable[[list[Path]], bool]
    kinds: tuple[str, ...]


class PriorStep:
    """Asks sources for the earlier studies of a patient.

    Args:
        config: the node's.
        database: migrated.
        studies: the inbox's.
        reading: how images are read.
        visits: keeps what was fetched.
        taking: keeps images that come on a connection of ours.
        trail: the audit trail.
    """

    def __init__(
        self,
        config: Config,
        database: sa.Engine,
        studies: Studies,
        reading: Reading,
        visits: PriorVisits,
        taking: Taking,
        trail: Trail,
    ) -> None:
        self.sources = {one.name: one for one in config.priors}
        self.searches = PriorSearches(database)
        self._config = config
        self._studies = studies
        self._reading = reading
        self._visits = visits
        self._taking = taking
        self._trail = trail

    def fetch(self, study_key: str, generation: int, name: str) -> Fetching:
        """Make one attempt at a source; whatever goes wrong with it, the next can follow."""
        source = self.sources.get(name)
        if source is None:
            return _ended("the source is not configured any more", given_up=True)
        closed_s = until_open(source.window, datetime.now())
        if closed_s:
            return _postponed(closed_s)
        try:
            made = self._attempt(study_key, generation, source)
        except (MsnodeError, OSError) as error:
            log.warning("study=%s source=%s not asked well: %s", study_key, name, error)
            made = _failed(str(error))
        except sa.exc.SQLAlchemyError:
            raise  # the step waits for the database
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the search
            made = _failed(f"unforeseen error at {unexpected(error, f'asking {name}')}")
        return self._with_pause(made, study_key, source)

    def _with_pause(self, made: Fetching, study_key: str, source: PriorSource) -> Fetching:
        """When a failed attempt is followed by another, if ever."""
        if not made["failed"]:
            return made
        pause_s = pause(source.retry, self.searches.failures(study_key, source.name) + 1)
        if pause_s is None:
            log.error("study=%s source=%s given up: %s", study_key, source.name, made["detail"])
            return {**made, "state": State.GIVEN_UP, "pause_s": None}
        return {**made, "state": State.OPEN, "pause_s": pause_s}

    def _attempt(self, study_key: str, generation: int, source: PriorSource) -> Fetching:
        """Ask what there is, choose, fetch what was chosen."""
        try:
            study = self._studies.study(study_key, generation)
        except LookupError:
            return _ended("the study is gone")
        if not self._reading.has_wanted(self._studies.firsts(study_key, generation)):
            return _ended("no series to compare")
        patient = self._patient(study)
        if not patient.patient_id or day_of(patient.study_date) is None:
            return _ended("no PatientID or no StudyDate")
        way = way_to(source, self._config.destinations, self._config.receive.ae_title)
        listed = self._listed(study_key, source, patient, way)
        self.searches.found(study_key, source.name, listed)
        chosen = [one for one in listed if one.fate == Fate.CHOSEN]
        log.info("study=%s source=%s found=%d chosen=%d", study_key, source.name, len(listed),
                 len(chosen))  # fmt: skip
        return self._fetched(study_key, source, patient, way, chosen)

    def _patient(self, study: Study) -> Patient:
        """Whose study it is, by the first file that can be read."""
        for path in study.paths[:3]:
            try:
                return self._reading.glance.call(Patient, read_patient, path)
            except Refused as refusal:
                log.warning("study=%s a header is unreadable: %s", study.key, refusal)
        return Patient("", "", "", study.study_instance_uid, "")

    def _listed(
        self, study_key: str, source: PriorSource, patient: Patient, way: Way
    ) -> list[PriorStudy]:
        """What the source has, and what of it is wanted."""
        known = self.searches.priors(study_key, source.name)
        useless = {one.key for one in known if one.fate == Fate.UNUSABLE}
        wanted = Wanted(
            source.how_many, source.years, self._reading.kinds, self._visits.is_here, useless
        )
        with way.asking() as asked:
            found = asked.studies(patient, source.years)
            retrieval_audit.queried(self._trail, way, asked.asked)
            listed = choose(found, patient, wanted, asked.series)
        others = [one for one in listed if one.reason == OTHER_PATIENT]
        if others:  # whose studies are no business of this patient's record
            log.warning("study=%s source=%s named studies of other patients: %d", study_key,
                        source.name, len(others))  # fmt: skip
        return [one for one in listed if one not in others]

    def _fetched(
        self,
        study_key: str,
        source: PriorSource,
        patient: Patient,
        way: Way,
        chosen: list[PriorStudy],
    ) -> Fetching:
        """Fetch one study after the other, as far as the rate allows."""
        arrived: list[str] = []
        troubles: list[str] = []
        for one in chosen:
            now = time.time()
            asked = self.searches.asked_since(source.name, now - HOUR_S)
            if wait_s := until_allowed(asked, source.per_hour, now):
                made = _failed(troubles[0]) if troubles else _postponed(wait_s)
                return {**made, "arrived": arrived}
            self.searches.asks(study_key, source.name, one.key)
            try:
                self._retrieve(one, patient, way)
                arrived.append(one.key)
            except (TryLater, Refused, OSError) as error:
                metrics.PRIORS.labels(source.name, "failed").inc()
                log.warning("study=%s source=%s prior=%s not fetched: %s", study_key,
                            source.name, one.key, error)  # fmt: skip
                troubles.append(str(error))
        if troubles:
            return {**_failed(troubles[0]), "arrived": arrived}
        return {**_ended(""), "arrived": arrived}

    def _retrieve(self, one: PriorStudy, patient: Patient, way: Way) -> None:
        """Fetch a study and make sure that it is here.

        Raises:
            TryLater: not all of it came.
        """
        order = Order(one.study_instance_uid, tuple(one.series), TRANSFER_SYNTAXES, self._taking)
        whose = one.study_instance_uid, patient.patient_id
        if way.is_ours:  # what comes at the listener is audited there
            retrieval_audit.begun(self._trail, way, *whose)
        said = way.retrieve(order)
        expected = sum(one.series.values()) or said
        deadline = time.monotonic() + ARRIVE_S
        while (came := self._visits.arrived(one.key)) < max(expected, 1):
            if time.monotonic() > deadline:
                raise TryLater(
                    f"{way.name} said that it sent {said} images of {expected}, and {came} came "
                    f"as its answer; {way.hint}"
                )
            time.sleep(0.2)
        if way.is_ours:
            retrieval_audit.ended(self._trail, way, *whose, self._visits.files(one.key))

    def outline(self, study_key: str, generation: int, name: str, prior_key: str) -> None:
        """Prepare and outline a study that came, keep its visit, drop its images."""
        uid = next(
            (p.study_instance_uid for p in self.searches.priors(study_key, name)
             if p.key == prior_key), None,
        )  # fmt: skip
        if uid is None:
            return
        is_anothers = self._is_anothers(study_key, generation, prior_key)
        reason = "another PatientBirthDate" if is_anothers else self._visits.keep(uid)
        self.searches.came(study_key, name, prior_key, reason)
        self._visits.drop(prior_key)
        metrics.PRIORS.labels(name, "kept" if reason is None else "unusable").inc()
        log.info("study=%s source=%s prior=%s %s", study_key, name, prior_key, reason or "kept")

    def _is_anothers(self, study_key: str, generation: int, prior_key: str) -> bool:
        """Whether what came says another date of birth than the present study does."""
        files = self._visits.files(prior_key)
        try:
            here = self._patient(self._studies.study(study_key, generation))
            then = self._reading.glance.call(Patient, read_patient, files[0])
        except (LookupError, Refused):  # nothing to hold against each other
            return False
        return differ(here.birth_date, then.birth_date)

    def spoil(self, study_key: str, name: str, prior_key: str) -> None:
        """A study could not be outlined, whatever was tried: it is not asked for again."""
        self.searches.came(study_key, name, prior_key, "outlining failed")
        self._visits.drop(prior_key)
        metrics.PRIORS.labels(name, "unusable").inc()

    def settle(self, study_key: str, name: str, made: Fetching) -> None:
        """Put on record what an attempt came to; from now on the result need not wait for it."""
        pause_s = made["pause_s"]
        # what came by another search is news, once, where nothing was compared
        found = [one.fate for one in self.searches.priors(study_key, name)]
        is_over = made["state"] != State.OPEN
        elsewhere = is_over and Fate.HERE in found and not self._visits.was_compared(study_key)
        self.searches.told(
            study_key,
            name,
            state=State(made["state"]),
            due_at=time.time() + (pause_s or 0.0),
            failed=made["failed"],
            detail=made["detail"],
            elsewhere=elsewhere,
        )
        outcome = str(made["state"])
        if made["state"] == State.OPEN:
            outcome = "retried" if made["failed"] else "postponed"
        metrics.PRIOR_SEARCHES.labels(name, outcome).inc()


def _ended(detail: str, *, given_up: bool = False) -> Fetching:
    state = State.GIVEN_UP if given_up else State.DONE
    return {"arrived": [], "pause_s": None, "state": state, "failed": False, "detail": detail}


def _failed(detail: str) -> Fetching:
    return {
        "arrived": [], "pause_s": None, "state": State.OPEN, "failed": True, "detail": detail,
    }  # fmt: skip


def _postponed(pause_s: float) -> Fetching:
    return {
        "arrived": [], "pause_s": pause_s, "state": State.OPEN, "failed": False, "detail": "",
    }  # fmt: skip

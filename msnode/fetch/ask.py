"""C-FIND (PS3.4 C): which studies a source has of a patient, and which series of a study.

A peer may ignore keys that it does not know, and answer with more than was asked for; so every
answer says for itself whose it is and of which day (`choice`).
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from pydicom import Dataset
from pydicom.multival import MultiValue
from pynetdicom.association import Association

from msnode.config import DicomPeer
from msnode.fetch.patient import Patient, text
from msnode.requestor.peer import offering
from msnode.requestor.query import FIND, matches

log = logging.getLogger(__name__)

MOST = 1000
"""Answers to one query; no patient has so many studies, no study so many series."""
LONGEST_S = 120.0
"""For all answers to one query."""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series that a source has.

    Attributes:
        description: SeriesDescription, or the ProtocolName where there is none.
        body_part: BodyPartExamined.
        images: NumberOfSeriesRelatedInstances; 0 where the source does not say.
    """

    uid: str
    modality: str
    description: str
    body_part: str
    images: int


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a source has; "" for what it does not say.

    Attributes:
        study_date: DA.
        modalities: ModalitiesInStudy; empty where the source does not know them.
    """

    uid: str
    patient_id: str
    issuer: str
    birth_date: str
    study_date: str
    modalities: frozenset[str]
    description: str


class Source:
    """A source on an open association.

    Attributes:
        asked: the first query, as the audit trail has it.
    """

    def __init__(self, association: Association, name: str) -> None:
        self._association = association
        self._name = name
        self.asked = Dataset()

    def studies(self, patient: Patient, years: int) -> list[FoundStudy]:
        """The studies of a patient before the present one: Study Root, STUDY level.

        Raises:
            TryLater, Refused: as `requestor.query.matches`.
        """
        self.asked = study_query(patient, years)
        return [found for match in self._matches(self.asked) if (found := study_of(match))]

    def series(self, study_instance_uid: str) -> list[FoundSeries]:
        """The series of a study: SERIES level.

        Raises:
            TryLater, Refused: likewise.
        """
        query = series_query(study_instance_uid)
        return [found for match in self._matches(query) if (found := series_of(match))]

    def instances(self, study_instance_uid: str, series_instance_uid: str) -> frozenset[str]:
        """The SOPInstanceUIDs of a series: IMAGE level.

        Raises:
            TryLater, Refused: likewise.
        """
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = study_instance_uid
        query.SeriesInstanceUID = series_instance_uid
        query.SOPInstanceUID = ""
        found = (text(match, "SOPInstanceUID") for match in self._matches(query))
        return frozenset(uid for uid in found if uid)

    def _matches(self, query: Dataset) -> Iterator[Dataset]:
        until = time.monotonic() + LONGEST_S
        return matches(self._association, query, self._name, most=MOST, until=until)


@contextmanager
def asking(peer: DicomPeer, calling_ae_title: str) -> Iterator[Source]:
    """A source for the time of a ``with`` block.

    Raises:
        TryLater: it cannot be reached.
        Refused: it does not support the query.
        ConfigError: the TLS files cannot be used.
    """
    with offering(FIND, peer, calling_ae_title) as association:
        yield Source(association, peer.name)


def study_query(patient: Patient, years: int) -> Dataset:
    """By PatientID, and IssuerOfPatientID where it is known, of the days before."""
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    if not f"{patient.patient_id}{patient.issuer}".isascii():
        query.SpecificCharacterSet = "ISO_IR 192"
    query.PatientID = patient.patient_id
    query.IssuerOfPatientID = patient.issuer
    query.PatientBirthDate = ""
    query.StudyInstanceUID = ""
    query.StudyDate = date_range(patient.study_date, years)
    query.ModalitiesInStudy = ""
    query.StudyDescription = ""
    return query


def series_query(study_instance_uid: str) -> Dataset:
    """All series of a study, and what is to be known of them."""
    query = Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.StudyInstanceUID = study_instance_uid
    for name in ("SeriesInstanceUID", "Modality", "SeriesDescription", "ProtocolName",
                 "BodyPartExamined"):  # fmt: skip
        setattr(query, name, "")
    query.NumberOfSeriesRelatedInstances = None
    return query


def date_range(study_date: str, years: int) -> str:
    """From so many years before to the day before (range matching, PS3.4 C.2.2.2.5)."""
    last = date.fromisoformat(study_date) - timedelta(days=1)
    return f"{first_day(study_date, years)}-{last:%Y%m%d}"


def first_day(study_date: str, years: int) -> str:
    """DA of the oldest study that is wanted."""
    day = "0228" if study_date[4:] == "0229" else study_date[4:]
    return f"{max(int(study_date[:4]) - years, 1):04}{day}"


def study_of(match: Dataset) -> FoundStudy | None:
    """A match of the first query; None where it names no study."""
    try:
        modalities = match.get("ModalitiesInStudy") or ()
        several = modalities if isinstance(modalities, MultiValue | list) else [modalities]
        found = FoundStudy(
            text(match, "StudyInstanceUID"),
            text(match, "PatientID"),
            text(match, "IssuerOfPatientID"),
            text(match, "PatientBirthDate"),
            text(match, "StudyDate"),
            frozenset(str(one) for one in several if one),
            text(match, "StudyDescription"),
        )
    except Exception as error:  # noqa: BLE001 - a broken value must not cost the other answers
        log.warning("an answer of a source was left out error=%s", type(error).__name__)
        return None
    return found if found.uid else None


def series_of(match: Dataset) -> FoundSeries | None:
    """A match of the second query; None where it names no series."""
    try:
        count = match.get("NumberOfSeriesRelatedInstances")
        found = FoundSeries(
            text(match, "SeriesInstanceUID"),
            text(match, "Modality"),
            text(match, "SeriesDescription") or text(match, "ProtocolName"),
            text(match, "BodyPartExamined"),
            max(int(count), 0) if count is not None else 0,
        )
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("an answer of a source was left out error=%s", type(error).__name__)
        return None
    return found if found.uid else None


def uids(series: Sequence[FoundSeries]) -> dict[str, int]:
    """Images by SeriesInstanceUID."""
    return {one.uid: one.images for one in series}

"""Decides what an arriving instance is, and writes its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from msnode.receive.dicom.dimse_status import CONFLICT, WRONG_CLASS, StoreRefused
from msnode.receive.dicom.sop_classes import MR, PICTURES, Analysed
from msnode.receive.inbox.identity import Header
from msnode.records.uid_hash import uid_hash
from msnode.store.database import StudyState, instances, receipts, studies
from msnode.store.patients import are_one, contradict


class Taken(StrEnum):
    """What became of an instance that was not refused."""

    STORED = "stored"
    CONFLICT = "conflict"
    """Stored beside other content under the same UID."""
    DUPLICATE = "duplicate"
    """Already here."""
    OWN = "own"
    """A result of ours that comes back: not kept."""


Outcome = Taken | StoreRefused


@dataclass(frozen=True)
class Arrival:
    """A received instance that has no row yet.

    Attributes:
        patient_key: see `store.patients`.
        size: of the file, bytes.
        sha256: hex digest of the encoded dataset.
        received_at: unix time in seconds.
        stat: its sender gave it high priority.
        accession_key: see `store.orders`.
    """

    header: Header
    patient_key: str
    transfer_syntax_uid: str
    size: int
    sha256: str
    calling_ae_title: str
    received_at: float
    stat: bool = False
    accession_key: str = ""

    @cached_property
    def study_key(self) -> str:
        """Hash of the study's UID."""
        return uid_hash(self.header.study_instance_uid)

    @cached_property
    def place(self) -> str:
        """Path in the data folder, from UID and content hash, so that truncation is noticed."""
        name = f"{uid_hash(self.header.sop_instance_uid)}-{self.sha256[:32]}.dcm"
        return f"instances/{self.study_key}/{name}"


# statements are built once: building one costs more than running it
_KNOWN = (
    sa.select(studies, instances.c.sop_instance_uid, instances.c.sha256)
    .outerjoin_from(
        studies,
        instances,
        sa.and_(
            instances.c.study_key == studies.c.study_key,
            instances.c.sop_instance_uid.in_(sa.bindparam("uids", expanding=True)),
        ),
    )
    .where(studies.c.study_key.in_(sa.bindparam("keys", expanding=True)))
    .order_by(studies.c.study_key)  # one order of locks, so that two hosts cannot deadlock
    .with_for_update(of=studies)
)
_OWN = sa.select(receipts.c.sop_instance_uid).where(
    receipts.c.sop_instance_uid.in_(sa.bindparam("uids", expanding=True))
)
_INSERT_STUDY = studies.insert()
_INSERT = instances.insert()
_VARIABLE = ("patient_key", "state", "first_at", "last_at", "stat", "accession_key")
_CHANGE = (
    studies.update()
    .where(studies.c.study_key == sa.bindparam("key"))
    .values({name: sa.bindparam(name) for name in _VARIABLE})
)


class Ledger:
    """The rows that a batch of arrivals touches: read together, decided, written together.

    Args:
        connection: in a transaction.
        arrivals: the batch.
        analysed: images that make a study worth analysing.
        refuses: whether other content under a known SOPInstanceUID is refused.

    Attributes:
        conflicts: arrivals with other content than an earlier one of the same SOPInstanceUID.
    """

    def __init__(
        self,
        connection: sa.Connection,
        arrivals: Sequence[Arrival],
        analysed: Analysed,
        *,
        refuses: bool = False,
    ) -> None:
        self._refuses = refuses
        self._analysed = analysed
        self.conflicts: list[Arrival] = []
        self._connection = connection
        self._studies: dict[str, dict[str, Any]] = {}
        self._contents: dict[tuple[str, str], set[str]] = {}
        keys = {arrival.study_key for arrival in arrivals}
        uids = {arrival.header.sop_instance_uid for arrival in arrivals}
        known = connection.execute(_KNOWN, {"keys": list(keys), "uids": list(uids)})
        for *study, uid, sha256 in known:
            self._studies[study[0]] = dict(zip(studies.c.keys(), study, strict=True))
            self._contents.setdefault((study[0], uid), set()).add(sha256)
        self._own = self._own_results(arrivals)
        self._fresh = keys - self._studies.keys()
        self._changed: set[str] = set()
        self._new: list[dict[str, Any]] = []

    def _own_results(self, arrivals: Sequence[Arrival]) -> set[str]:
        """SOPInstanceUIDs that we sent ourselves; images to analyse are never among them."""
        others = [
            arrival.header.sop_instance_uid
            for arrival in arrivals
            if arrival.header.sop_class_uid not in MR | PICTURES
        ]
        return set(self._connection.scalars(_OWN, {"uids": others})) if others else set()

    def add(self, arrival: Arrival) -> Outcome:
        """Decide what an arrival is and note its rows."""
        key, uid = arrival.study_key, arrival.header.sop_instance_uid
        if uid in self._own:
            return Taken.OWN
        study = self._studies.setdefault(key, _new_study(arrival))
        if self._is_anothers(study["patient_key"], arrival.patient_key):
            return StoreRefused(WRONG_CLASS, "StudyInstanceUID belongs to another PatientID")
        contents = self._contents.setdefault((key, uid), set())
        if arrival.sha256 in contents:
            return Taken.DUPLICATE
        conflict = bool(contents)
        if conflict:
            self.conflicts.append(arrival)
            if self._refuses:
                why = "Other content under a known SOPInstanceUID"
                return StoreRefused(CONFLICT, why, "conflicts")
        contents.add(arrival.sha256)
        self._new.append(_instance_values(arrival, conflict))
        self._touch(study, arrival, wakes=not conflict)
        return Taken.CONFLICT if conflict else Taken.STORED

    def _is_anothers(self, known: str, key: str) -> bool:
        """Whether a study belongs to another patient, whom nobody has merged with this one."""
        return contradict(known, key) and not are_one(self._connection, known, key)

    def _touch(self, study: dict[str, Any], arrival: Arrival, wakes: bool) -> None:
        """Update the study's row for an arrival; for most arrivals nothing changes.

        Images that come while a study is queued are considered when it is finished.
        """
        if len(arrival.patient_key) > len(study["patient_key"]):
            study["patient_key"] = arrival.patient_key
            self._changed.add(arrival.study_key)
        if arrival.stat and not study["stat"]:
            study["stat"] = True
            self._changed.add(arrival.study_key)
        if arrival.accession_key and not study["accession_key"]:
            study["accession_key"] = arrival.accession_key
            self._changed.add(arrival.study_key)
        if wakes and study["state"] == StudyState.DONE and self._wakes(arrival):
            at = arrival.received_at
            study |= {"state": StudyState.RECEIVING, "first_at": at, "last_at": at}
            self._changed.add(arrival.study_key)

    def _wakes(self, arrival: Arrival) -> bool:
        """Whether a study that is done may have something to be analysed now."""
        sop_class = arrival.header.sop_class_uid
        if sop_class not in self._analysed.by_header:
            return sop_class in self._analysed.surely
        rows = [row for row in self._new if row["study_key"] == arrival.study_key]
        mine = instances.c.study_key == arrival.study_key, instances.c.sop_class_uid.in_(MR)
        has_mr = self._connection.scalar(sa.select(sa.exists().where(*mine)))
        return not has_mr and all(row["sop_class_uid"] not in MR for row in rows)

    def write(self) -> None:
        """Insert and update what was noted."""
        fresh = self._fresh & {row["study_key"] for row in self._new}
        if fresh:
            self._connection.execute(_INSERT_STUDY, [self._studies[key] for key in fresh])
        for key in sorted(self._changed - self._fresh):
            self._connection.execute(_CHANGE, self._studies[key] | {"key": key})
        if self._new:
            self._connection.execute(_INSERT, self._new)

    def patients(self) -> dict[str, str]:
        """Patient key by study, as written."""
        return {key: study["patient_key"] for key, study in self._studies.items()}


def _new_study(arrival: Arrival) -> dict[str, Any]:
    """The row of a new study; there is nothing to do for it until an image comes."""
    return {
        "study_key": arrival.study_key,
        "study_instance_uid": arrival.header.study_instance_uid,
        "patient_key": arrival.patient_key,
        "generation": 0,
        "state": StudyState.DONE,
        "first_at": arrival.received_at,
        "last_at": arrival.received_at,
        "completion": None,
        "stat": False,
        "accession_key": "",
    }


def _instance_values(arrival: Arrival, conflict: bool) -> dict[str, Any]:
    """An arrival as a row of ``instances``."""
    return {
        "study_key": arrival.study_key,
        "series_instance_uid": arrival.header.series_instance_uid,
        "sop_instance_uid": arrival.header.sop_instance_uid,
        "sop_class_uid": arrival.header.sop_class_uid,
        "transfer_syntax_uid": arrival.transfer_syntax_uid,
        "path": arrival.place,
        "size": arrival.size,
        "sha256": arrival.sha256,
        "calling_ae_title": arrival.calling_ae_title,
        "received_at": arrival.received_at,
        "conflict": conflict,
    }

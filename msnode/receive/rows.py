"""What an arriving instance is, and the rows that say so."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from msnode import records
from msnode.database import instances, receipts, studies
from msnode.receive.header import Header, same_patient
from msnode.receive.status import WRONG_CLASS, StoreRefused

Outcome = str | StoreRefused
"""``stored``, ``conflict``, ``duplicate``, ``own``, or why it was refused."""


@dataclass(frozen=True)
class Arrival:
    """A received instance that has no row yet.

    Attributes:
        patient_key: see ``header.patient_key``.
        size: of the file, bytes.
        sha256: hex digest of the encoded dataset.
        received_at: unix time in seconds.
    """

    header: Header
    patient_key: str
    transfer_syntax_uid: str
    size: int
    sha256: str
    calling_ae_title: str
    received_at: float

    @cached_property
    def study_key(self) -> str:
        """The study's UID, shortened."""
        return records.key(self.header.study_instance_uid)

    @cached_property
    def place(self) -> str:
        """Path in the data folder, decided by UID and content: a file cut off betrays itself."""
        name = f"{records.key(self.header.sop_instance_uid)}-{self.sha256[:32]}.dcm"
        return f"instances/{self.study_key}/{name}"


_FIND = (
    sa.select(studies, instances.c.sha256)
    .outerjoin_from(
        studies,
        instances,
        sa.and_(
            instances.c.study_key == studies.c.study_key,
            instances.c.sop_instance_uid == sa.bindparam("uid"),
        ),
    )
    .where(studies.c.study_key == sa.bindparam("key"))
    .with_for_update(of=studies)
)
_FIND_OWN = sa.select(sa.exists().where(receipts.c.sop_instance_uid == sa.bindparam("uid")))
_INSERT = instances.insert()  # made once: building a statement costs more than running it
_CHANGE = studies.update().where(studies.c.study_key == sa.bindparam("key"))


def record(connection: sa.Connection, arrival: Arrival, analysed: Collection[str]) -> Outcome:
    """Decide what an arrival is and write its rows.

    Args:
        connection: in a transaction.
        arrival: the file.
        analysed: SOP classes whose images make a study worth analysing.
    """
    header, key = arrival.header, arrival.study_key
    is_image = header.sop_class_uid in analysed
    names = {"key": key, "uid": header.sop_instance_uid}
    if not is_image and connection.scalar(_FIND_OWN, names):
        return "own"
    rows = connection.execute(_FIND, names).all()
    if rows and not same_patient(rows[0].patient_key, arrival.patient_key):
        return StoreRefused(WRONG_CLASS, "StudyInstanceUID belongs to another PatientID")
    contents = {row.sha256 for row in rows if row.sha256 is not None}
    if arrival.sha256 in contents:
        return "duplicate"
    conflict = bool(contents)
    if not rows:
        connection.execute(studies.insert(), _new_study(arrival))
    if changes := _changes(arrival, rows[0] if rows else None, is_image and not conflict):
        connection.execute(_CHANGE.values(changes), names)
    connection.execute(_INSERT, _instance_values(arrival, conflict))
    return "conflict" if conflict else "stored"


def _changes(arrival: Arrival, study: Any, wakes: bool) -> dict[str, Any]:
    """What an arrival changes in its study's row; for most nothing, as most are not the first.

    A patient key may become more specific. What comes while a study is queued is looked at when
    it is finished.
    """
    changes: dict[str, Any] = {}
    if wakes and (study is None or study.state == "done"):
        at = arrival.received_at
        changes |= {"state": "receiving", "first_at": at, "last_at": at}
    if study is not None and len(arrival.patient_key) > len(study.patient_key):
        changes["patient_key"] = arrival.patient_key
    return changes


def _new_study(arrival: Arrival) -> dict[str, Any]:
    """A study seen for the first time; nothing to do in it until an image comes."""
    return {
        "study_key": arrival.study_key,
        "study_instance_uid": arrival.header.study_instance_uid,
        "patient_key": arrival.patient_key,
        "generation": 0,
        "state": "done",
        "first_at": arrival.received_at,
        "last_at": arrival.received_at,
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

"""What an arriving instance is, and the rows that say so; one transaction for many of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import records
from msnode.database import instances, receipts, studies
from msnode.receive.header import Header, same_patient
from msnode.receive.status import WRONG_CLASS, StoreRefused

Outcome = str | StoreRefused
"""``stored``, ``conflict``, ``duplicate``, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A received file that is fsynced but has no row yet.

    Attributes:
        path: the file, in ``incoming/`` or (after a crash) already in its place.
        patient_key: see ``header.patient_key``.
        size: of the file, bytes.
        sha256: hex digest of the encoded dataset.
        received_at: unix time in seconds.
    """

    path: Path
    header: Header
    patient_key: str
    transfer_syntax_uid: str
    size: int
    sha256: str
    calling_ae_title: str
    received_at: float

    @property
    def study_key(self) -> str:
        """The study's UID, shortened."""
        return records.key(self.header.study_instance_uid)

    @property
    def place(self) -> str:
        """Path in the data folder, decided by UID and content alone."""
        name = f"{records.key(self.header.sop_instance_uid)}-{self.sha256[:16]}.dcm"
        return f"instances/{self.study_key}/{name}"


class Ledger:
    """The rows that a batch of arrivals touches, as they will be after the transaction."""

    def __init__(
        self, connection: sa.Connection, arrivals: Sequence[Arrival], analysed: Collection[str]
    ) -> None:
        self._connection = connection
        self._analysed = analysed
        keys = {arrival.study_key for arrival in arrivals}
        uids = {arrival.header.sop_instance_uid for arrival in arrivals}
        self._studies = self._known_studies(keys)
        self._contents = self._known_contents(keys, uids)
        self._own = self._own_results(arrivals)
        self._new: list[dict[str, Any]] = []
        self._fresh = keys - self._studies.keys()
        self._changed: set[str] = set()

    def _known_studies(self, keys: Collection[str]) -> dict[str, dict[str, Any]]:
        """Rows of the studies, locked in one order so that two hosts cannot deadlock."""
        query = studies.select().where(studies.c.study_key.in_(keys))
        rows = self._connection.execute(query.order_by(studies.c.study_key).with_for_update())
        return {row.study_key: dict(row._mapping) for row in rows}

    def _known_contents(
        self, keys: Collection[str], uids: Collection[str]
    ) -> dict[tuple[str, str], set[str]]:
        """Digests by study and SOPInstanceUID."""
        columns = instances.c
        query = sa.select(columns.study_key, columns.sop_instance_uid, columns.sha256).where(
            columns.study_key.in_(keys), columns.sop_instance_uid.in_(uids)
        )
        contents: dict[tuple[str, str], set[str]] = {}
        for study_key, uid, sha256 in self._connection.execute(query):
            contents.setdefault((study_key, uid), set()).add(sha256)
        return contents

    def _own_results(self, arrivals: Sequence[Arrival]) -> set[str]:
        """SOPInstanceUIDs that we sent ourselves; images to analyse are never among them."""
        uids = {
            arrival.header.sop_instance_uid
            for arrival in arrivals
            if arrival.header.sop_class_uid not in self._analysed
        }
        if not uids:
            return set()
        column = receipts.c.sop_instance_uid
        return set(self._connection.scalars(sa.select(column).where(column.in_(uids))))

    def add(self, arrival: Arrival) -> Outcome:
        """Decide what an arrival is and note its rows."""
        uid, study_key = arrival.header.sop_instance_uid, arrival.study_key
        if uid in self._own:
            return "duplicate"
        study = self._studies.get(study_key)
        if study and not same_patient(study["patient_key"], arrival.patient_key):
            return StoreRefused(WRONG_CLASS, "StudyInstanceUID belongs to another PatientID")
        contents = self._contents.setdefault((study_key, uid), set())
        if arrival.sha256 in contents:
            return "duplicate"
        conflict = bool(contents)
        contents.add(arrival.sha256)
        self._new.append(_instance_row(arrival, conflict))
        wanted = not conflict and arrival.header.sop_class_uid in self._analysed
        self._touch(study or self._begin(arrival), arrival, wanted)
        return "conflict" if conflict else "stored"

    def _begin(self, arrival: Arrival) -> dict[str, Any]:
        """A study seen for the first time; nothing to do in it until an image comes."""
        study = self._studies[arrival.study_key] = {
            "study_key": arrival.study_key,
            "study_instance_uid": arrival.header.study_instance_uid,
            "patient_key": arrival.patient_key,
            "generation": 0,
            "state": "done",
            "first_at": arrival.received_at,
            "last_at": arrival.received_at,
            "completion": None,
        }
        return study

    def _touch(self, study: dict[str, Any], arrival: Arrival, wanted: bool) -> None:
        """Wake a finished study for a new image; keep the more specific patient key."""
        self._changed.add(study["study_key"])
        study["patient_key"] = max(study["patient_key"], arrival.patient_key, key=len)
        if wanted and study["state"] == "done":
            study |= {"state": "receiving", "first_at": arrival.received_at, "last_at": 0.0}
        if wanted and study["state"] == "receiving":
            study["last_at"] = max(study["last_at"], arrival.received_at)

    def write(self) -> None:
        """Insert and update what ``add`` noted."""
        fresh = [self._studies[key] for key in self._changed & self._fresh]
        if fresh:
            self._connection.execute(studies.insert(), fresh)
        names = ("patient_key", "state", "first_at", "last_at")
        for key in sorted(self._changed - self._fresh):
            values = {name: self._studies[key][name] for name in names}
            statement = studies.update().where(studies.c.study_key == key)
            self._connection.execute(statement.values(values))
        if self._new:
            self._connection.execute(instances.insert(), self._new)


def _instance_row(arrival: Arrival, conflict: bool) -> dict[str, Any]:
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

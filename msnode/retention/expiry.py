"""Retention: deletes what is delivered and old, a study at a time, beside a running node.

Never deleted is what is nowhere else: images of a study without a result, a result that has not
reached every destination, or none at all, or whose job died or was cancelled. Of every study its
rows in ``studies``, ``results`` and ``receipts`` stay: the patient's longitudinal record and the
proof of delivery.
"""

import contextlib
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import audit, metrics
from msnode.config import Retention as Rules
from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox.part10 import read_arrival
from msnode.retention.fetched_expiry import (
    IMAGES,
    VISITS,
    delete_visit,
    idle_images,
    old_visits,
    remove,
)
from msnode.store.database import StudyState, instances, receipts, results, studies
from msnode.store.files import fsync
from msnode.store.message_log import Outcome, expire, expired
from msnode.store.page_tables import study_labels

log = logging.getLogger(__name__)

DAY_S = 86400.0
FOLDERS = {"images": "instances", "results": "work", "visits": "visits"}
"""Where the things of a study are, by their kind."""
MESSAGES = {"messages": (Outcome.USED, Outcome.IGNORED), "refused": (Outcome.REFUSED,)}
"""Of HL7 v2 messages by their kind: what became of them."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is to be deleted.

    Attributes:
        kind: images, results, visits, fetched, fetched_visits, messages, refused, quarantine or
            backups.
        name: key of the study, or path in the data folder.
        size: bytes.
        since: when it was last wanted, unix s.
    """

    kind: str
    name: str
    size: int
    since: float


class Retention:
    """Knows what is delivered and old, and deletes it.

    Args:
        database: migrated.
        folder: the data folder.
        rules: how old is old.
        unsettled: keys of the studies with a job that is not done.
        trail: gets a word on every study whose images are deleted.
    """

    def __init__(
        self,
        database: sa.Engine,
        folder: Path,
        rules: Rules,
        unsettled: Callable[[], set[str]],
        trail: audit.Trail = audit.SILENT,
    ) -> None:
        self._database = database
        self._folder = folder
        self._rules = rules
        self._unsettled = unsettled
        self._trail = trail

    def due(self) -> Iterator[Item]:
        """What `apply` would delete now, oldest first within its kind."""
        unsettled = self._unsettled()
        for kind in FOLDERS:
            query = self._settled(kind)
            if query is None:
                continue
            with self._database.connect() as connection:
                rows = connection.execute(query.order_by("since")).all()
            for row in rows:
                if row.study_key not in unsettled and self._is_there(kind, row.study_key):
                    yield Item(kind, row.study_key, self._size(kind, row.study_key), row.since)
        yield from self._of_fetched()
        yield from self._of_messages()
        yield from self._old("quarantine", "quarantine/**/*", self._rules.quarantine_days)
        yield from self._old("backups", "*.bak", self._rules.backups_days)

    def apply(self, limit_s: float = math.inf) -> Iterator[Item]:
        """Delete what is due, and yield it; what cannot be deleted is due again the next time.

        Args:
            limit_s: nothing more is begun after so many seconds.
        """
        end = time.monotonic() + limit_s
        for item in self.due():
            if time.monotonic() > end:
                return
            try:
                if not self._delete(item):
                    continue
            except OSError as error:
                log.error("not deleted kind=%s name=%s error=%s", item.kind, item.name,
                          type(error).__name__)  # fmt: skip
                continue
            metrics.DELETED_BYTES.labels(item.kind).inc(item.size)
            log.info("deleted kind=%s name=%s bytes=%d", item.kind, item.name, item.size)
            yield item

    def _delete(self, item: Item) -> bool:
        """Delete a thing, durably; False if it is wanted again."""
        if item.kind in FOLDERS:
            return self._delete_of_study(item.kind, item.name)
        if item.kind in MESSAGES:
            with self._database.begin() as connection:
                expire(connection, item.since, MESSAGES[item.kind])
            return True
        if item.kind == "fetched":
            remove(self._folder / IMAGES / item.name)
            return True
        if item.kind == "fetched_visits":
            with self._database.begin() as connection:
                delete_visit(connection, self._folder, item.name)
            return True
        path = self._folder / item.name
        path.unlink(missing_ok=True)
        if path.parent not in (self._folder, self._folder / "quarantine"):
            _remove_if_empty(path.parent)
        return True

    def _delete_of_study(self, kind: str, study: str) -> bool:
        """Images, results or the kept visit of a study, unless an image has come since.

        Files go first, under a lock on the study's row: rows that a crash leaves are deleted the
        next time, while files without rows would be taken in again at the node's next start.
        """
        this = studies.c.study_key == study
        query = self._settled(kind)
        with self._database.begin() as connection:
            connection.execute(sa.select(studies.c.state).where(this).with_for_update())
            if query is None or connection.execute(query.where(this)).one_or_none() is None:
                return False
            if kind == "images":
                self._delete_images(connection, study)
            elif (place := self._folder / FOLDERS[kind] / study).exists():
                shutil.rmtree(place)
                fsync(place.parent)
            values = {f"{kind}_deleted_at": time.time()}
            connection.execute(studies.update().where(this).values(values))
            self._delete_label(connection, study)
        return True

    def _delete_label(self, connection: sa.Connection, study: str) -> None:
        """Delete who a study is of, once neither images nor results nor a visit of it are left."""
        left = sa.select(studies.c.study_key).where(
            studies.c.study_key == study, sa.or_(_THERE["images"], _THERE["results"])
        )
        if connection.scalar(left) is None and not (self._folder / "visits" / study).exists():
            connection.execute(study_labels.delete().where(study_labels.c.study_key == study))

    def _delete_images(self, connection: sa.Connection, study: str) -> None:
        """The files that have rows, and the rows; a file that has just come in has none yet."""
        mine = instances.c.study_key == study
        paths = connection.scalars(sa.select(instances.c.path).where(mine)).all()
        whose = patient_id(self._folder / paths[0])
        for path in paths:
            (self._folder / path).unlink(missing_ok=True)
        _remove_if_empty(self._folder / "instances" / study)
        connection.execute(instances.delete().where(mine))
        uid = sa.select(studies.c.study_instance_uid).where(studies.c.study_key == study)
        self._trail.deleted(connection.scalar(uid) or "", whose)

    def _is_there(self, kind: str, study: str) -> bool:
        """Whether there is something of a study; not every study leaves a visit to be kept."""
        return kind != "visits" or (self._folder / FOLDERS[kind] / study).exists()

    def _size(self, kind: str, study: str) -> int:
        """Bytes that a study's images or results take."""
        return _bytes(self._folder / FOLDERS[kind] / study)

    def _of_fetched(self) -> Iterator[Item]:
        """Images that were fetched and nobody took; visits that were fetched, when they are old."""
        for key, since in idle_images(self._folder):
            yield Item("fetched", key, _bytes(self._folder / IMAGES / key), since)
        days = self._rules.visits_days
        if days is None:
            return
        with self._database.connect() as connection:
            old = old_visits(connection, days)
        for key, since in old:
            yield Item("fetched_visits", key, _bytes(self._folder / VISITS / key), since)

    def _of_messages(self) -> Iterator[Item]:
        """HL7 v2 messages, and the orders in them; those that were refused are a quarantine."""
        rules = self._rules
        for kind, days in (("messages", rules.messages_days), ("refused", rules.quarantine_days)):
            if days is None:
                continue
            before = time.time() - days * DAY_S
            with self._database.connect() as connection:
                size = expired(connection, before, MESSAGES[kind])
            if size is not None:
                yield Item(kind, "hl7", size, before)

    def _old(self, kind: str, pattern: str, days: float | None) -> Iterator[Item]:
        """Files that have been where they are for so many days."""
        if days is None:
            return
        found = [(path.lstat(), path) for path in self._folder.glob(pattern) if path.is_file()]
        for info, path in sorted(found, key=lambda pair: pair[0].st_ctime):
            if info.st_ctime < time.time() - days * DAY_S:
                name = path.relative_to(self._folder).as_posix()
                yield Item(kind, name, info.st_size, info.st_ctime)

    def _settled(self, kind: str) -> sa.Select[Any] | None:
        """Studies with images or results here, all delivered, and long untouched.

        A study that never had anything to analyse (other objects alone) has nothing to deliver.
        """
        days: float | None = getattr(self._rules, f"{kind}_days")
        if days is None:
            return None
        since = _latest().label("since")
        return sa.select(studies.c.study_key, since).where(
            studies.c.state == StudyState.DONE,
            _THERE[kind],
            ~sa.exists().where(_OF_STUDY, ~receipts.c.delivered, ~receipts.c.superseded),
            sa.or_(
                studies.c.generation == 0,
                sa.exists().where(
                    _OF_STUDY, receipts.c.generation == studies.c.generation, receipts.c.delivered
                ),
            ),
            since < time.time() - days * DAY_S,
        )


_OF_STUDY = receipts.c.study_key == studies.c.study_key
_THERE = {
    "visits": sa.exists().where(
        results.c.study_key == studies.c.study_key,
        results.c.created_at > sa.func.coalesce(studies.c.visits_deleted_at, 0.0),
    ),
    "images": sa.exists().where(instances.c.study_key == studies.c.study_key),
    "results": sa.exists().where(
        results.c.study_key == studies.c.study_key,
        results.c.created_at > sa.func.coalesce(studies.c.results_deleted_at, 0.0),
    ),
}
"""Whether a study has something to be deleted."""


def _latest() -> sa.ColumnElement[float]:
    """When the last image or the last word from a destination came, unix s."""
    said = sa.select(sa.func.max(receipts.c.updated_at)).where(_OF_STUDY)
    mine = instances.c.study_key == studies.c.study_key
    came = sa.select(sa.func.max(instances.c.received_at)).where(mine)
    said_at, came_at = (
        sa.func.coalesce(query.correlate(studies).scalar_subquery(), studies.c.last_at)
        for query in (said, came)
    )
    return sa.case((said_at > came_at, said_at), else_=came_at)


def patient_id(path: Path) -> str:
    """Of an image, for the audit trail; "" where it cannot be read."""
    with contextlib.suppress(OSError, StoreRefused):
        return read_arrival(path, b"").header.patient_id  # takes no more memory than at reception
    return ""


def _bytes(folder: Path) -> int:
    """That its files take."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder, durably, unless something is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
        fsync(folder.parent)

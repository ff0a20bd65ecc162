"""Asks the PACS for reports on results that were delivered, in a thread of its own.

What comes is received like all else, and read by `returned_documents`: nothing here decides what a
report says. What it has asked for is forgotten at a restart; then all is asked for once more, and
only what is not here comes.
"""

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import metrics
from msnode.audit import SILENT, Trail
from msnode.config import DicomPeer, ReportSource
from msnode.errors import MsnodeError
from msnode.fetch import retrieval_audit
from msnode.fetch.ask import series_query
from msnode.fetch.dicom_way import DicomWay
from msnode.fetch.limits import until_allowed
from msnode.fetch.way import Order, Taking
from msnode.receive.dicom.sop_classes import DOCUMENTS
from msnode.records.uid_hash import uid_hash
from msnode.retention.expiry import patient_id
from msnode.service.asker import Asker
from msnode.store.database import instances, receipts, results, studies
from msnode.store.judgements import known

log = logging.getLogger(__name__)

DAY_S = 86400.0
SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian: a document has no pixels to compress."""


class ReportSearch(Asker):
    """The searches.

    Args:
        source: how often, and how.
        peer: who is asked.
        database: migrated.
        data: the data folder.
        calling_ae_title: ours.
        taking: keeps what comes on a connection of ours.
        trail: the audit trail.
    """

    def __init__(
        self,
        source: ReportSource,
        peer: DicomPeer,
        database: sa.Engine,
        data: Path,
        calling_ae_title: str,
        taking: Taking,
        trail: Trail = SILENT,
    ) -> None:
        super().__init__("reports", peer.name)
        self._source, self._way = source, DicomWay(peer.name, peer, source.by, calling_ae_title)
        self._database, self._data, self._taking = database, data, taking
        self._trail = trail
        self._asked: dict[str, float] = {}  # study key -> when, unix s
        self._recent: deque[float] = deque(maxlen=source.per_hour)

    def ask(self) -> bool:
        """Ask for the study that is due; returns whether there was one."""
        now = time.time()
        if until_allowed(self._recent, self._source.per_hour, now) > 0:
            return False
        study = self._due(now)
        if study is None:
            return False
        self._asked[study.study_key] = now
        self._recent.append(now)
        try:
            came = self._fetched(study.study_instance_uid)
        except (MsnodeError, OSError) as error:
            metrics.REPORT_SEARCHES.labels("failed").inc()
            log.warning("study=%s reports not asked well: %s", study.study_key, error)
            return True
        metrics.REPORT_SEARCHES.labels("asked").inc()
        log.info("study=%s reports fetched=%d", study.study_key, came)
        return True

    def _due(self, now: float) -> sa.Row[Any] | None:
        """The study with a delivered result that was not asked for the longest."""
        since = now - self._source.days * DAY_S
        query = (
            sa.select(studies.c.study_key, studies.c.study_instance_uid)
            .join(results, results.c.study_key == studies.c.study_key)
            .join(receipts, receipts.c.study_key == studies.c.study_key)
            .where(results.c.created_at >= since, receipts.c.destination == self._way.name)
            .where(receipts.c.delivered)
            .distinct()
        )
        with self._database.connect() as connection:
            found: list[sa.Row[Any]] = list(connection.execute(query))
        keys = {one.study_key for one in found}
        self._asked = {key: at for key, at in self._asked.items() if key in keys}
        due = [one for one in found
               if now - self._asked.get(one.study_key, 0.0) >= self._source.every_s]  # fmt: skip
        return min(due, key=lambda one: self._asked.get(one.study_key, 0.0), default=None)

    def _fetched(self, uid: str) -> int:
        """Fetch the series that have a document which is not here; returns how many it says came.

        Raises:
            TryLater, Refused: as `fetch.way.Way`.
        """
        with self._way.asking() as asked:
            retrieval_audit.queried(self._trail, self._way, series_query(uid))
            series = [one.uid for one in asked.series(uid) if one.modality == "SR"]
            found = {one: asked.instances(uid, one) for one in series}
        wanted = self._new_series(uid_hash(uid), found)
        if not wanted:
            return 0
        order = Order(uid, wanted, SYNTAXES, self._taking, sorted(DOCUMENTS))
        if not self._way.is_ours:  # what comes at the listener is audited there
            return self._way.retrieve(order)
        whose = uid, self._patient_id(uid_hash(uid))
        retrieval_audit.begun(self._trail, self._way, *whose)
        came = self._way.retrieve(order)
        retrieval_audit.ended(self._trail, self._way, *whose, self._files(uid_hash(uid), wanted))
        return came

    def _new_series(self, study: str, found: Mapping[str, frozenset[str]]) -> list[str]:
        """Series of which something is neither on record, nor here, nor our own."""
        every = {uid for uids in found.values() for uid in uids}
        of = instances.c
        with self._database.connect() as connection:
            mine = sa.select(of.sop_instance_uid).where(of.study_key == study)
            here = known(connection, every) | set(connection.scalars(mine))
            ours = sa.select(receipts.c.sop_instance_uid).where(receipts.c.study_key == study)
            here |= set(connection.scalars(ours))
        return [series for series, uids in found.items() if uids - here]

    def _patient_id(self, study: str) -> str:
        """As an image of the study says, for the audit trail; "" where none is left."""
        image = next((self._data / "instances" / study).glob("*.dcm"), None)
        return patient_id(image) if image is not None else ""

    def _files(self, study: str, series: Sequence[str]) -> list[Path]:
        """What came."""
        of = instances.c
        query = sa.select(of.path).where(of.study_key == study, of.series_instance_uid.in_(series))
        with self._database.connect() as connection:
            return [self._data / path for path in connection.scalars(query)]

"""Files that people bring by the browser: kept by the same inbox, under the same contract."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from msnode.audit import Access, Node
from msnode.pages.frame.problems import TooMany
from msnode.pages.frame.site import Site
from msnode.receive.association import HERE
from msnode.receive.dicom.sop_classes import accepted
from msnode.receive.dicomweb.part10_part import Part10Part, Stored, reception_of
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.senders import Sender
from msnode.receive.received_audit import ReceivedAudit
from msnode.records.uid_hash import uid_hash
from msnode.store.disk_space import DiskSpace

log = logging.getLogger(__name__)

CALLER = "PAGES"
"""In place of a calling AE title."""
AT_ONCE = 8
"""Files at the same time, of all people."""
BATCHES = 64
IDLE_S = 60.0
"""A batch of which nothing more came for so long was broken off."""


@dataclass(slots=True)
class Batch:
    """What somebody uploads together. It is what an association is for C-STORE.

    Attributes:
        account: who does it.
        under_way: files.
        seen_at: of a monotonic clock.
        patients: for the audit trail.
    """

    account: str
    sender: Sender
    audit: ReceivedAudit
    under_way: int = 0
    seen_at: float = field(default_factory=time.monotonic)
    patients: set[str] = field(default_factory=set)


class Uploads:
    """Takes files in.

    Args:
        site: of the pages.
        room: on the disk.
    """

    def __init__(self, site: Site, room: DiskSpace) -> None:
        self._site = site
        self._room = room
        self._accepted = accepted(site.config.receive.accept)
        self._lock = threading.Lock()
        self._inbox: Inbox | None = None
        self._batches: dict[tuple[str, str], Batch] = {}

    @contextmanager
    def receiving(self, account: str, name: str, address: str) -> Iterator[Batch]:
        """The batch of a file that comes now.

        Raises:
            TooMany: files come already, more than can be.
        """
        self.end_idle()
        inbox = self.inbox()
        with self._lock:
            batch = self._batches.get((account, name))
            under_way = sum(one.under_way for one in self._batches.values())
            if under_way >= AT_ONCE or (batch is None and len(self._batches) >= BATCHES):
                raise TooMany(1)
            if batch is None:
                audit = ReceivedAudit(self._site.trail, Node(CALLER, address))
                batch = Batch(account, inbox.senders.begin(CALLER), audit)
                self._batches[account, name] = batch
            batch.under_way += 1
        try:
            yield batch
        finally:
            with self._lock:
                batch.under_way -= 1
                batch.seen_at = time.monotonic()

    def part(self, caller: str = "") -> Part10Part:
        """What takes the bytes of one file; its caller is the pages, unless another is named."""
        limits, inbox, name = self._site.config.receive, self.inbox(), caller or CALLER
        return Part10Part(lambda *said: reception_of(said, name, self._accepted, limits, inbox))

    def finish(self, batch: Batch, part: Part10Part) -> Stored:
        """A file is whole: keep it. When this returns it is as safe as C-STORE would have it."""
        stored = part.finish()
        part.close()
        if stored.header is None:
            return stored
        whose = stored.header.patient_id
        with self._lock:
            is_new = whose not in batch.patients
            batch.patients.add(whose)
            batch.audit.add(stored.header, stored.outcome)
            if stored.outcome in HERE:
                batch.sender.sends(uid_hash(stored.header.study_instance_uid))
        if is_new:
            self._site.trail.patient_record(batch.account, Access.UPDATED, whose)
        return stored

    def end(self, account: str, name: str, *, is_whole: bool) -> None:
        """A batch is over; of one that is not whole, the rest of a study may be missing."""
        with self._lock:
            batch = self._batches.pop((account, name), None)
        if batch is not None:
            batch.audit.close()
            batch.sender.end(is_whole)

    def end_idle(self) -> None:
        """End the batches of which nothing came any more."""
        latest = time.monotonic() - IDLE_S
        with self._lock:
            over = [
                place
                for place, one in self._batches.items()
                if not one.under_way and one.seen_at < latest
            ]
        for account, name in over:
            log.warning("upload broken off")
            self.end(account, name, is_whole=False)

    def inbox(self) -> Inbox:
        """Of this process, with a folder of its own in ``incoming/``; made for the first file."""
        with self._lock:
            if self._inbox is None:
                config = self._site.config
                conflicts = config.receive.conflicts
                self._inbox = Inbox(self._site.database, config.data, self._room, conflicts)
            return self._inbox

    def close(self) -> None:
        """End all that is under way."""
        for account, name in list(self._batches):
            self.end(account, name, is_whole=False)
        with self._lock:
            if self._inbox is not None:
                self._inbox.close()
                self._inbox = None

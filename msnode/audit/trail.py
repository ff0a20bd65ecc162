"""The trail: messages go to every target in the background, each at its own pace."""

import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from msnode import config, metrics
from msnode.audit import messages
from msnode.audit.messages import Access, AlertType, Node, Transfer
from msnode.audit.targets import File, Syslog, Target

log = logging.getLogger(__name__)

BACKLOG = 10_000  # messages that wait for a target; some 15 MB, a day's worth of a busy node
PAUSE_S = (1.0, 60.0)  # between attempts at a target that is down: the first, the longest
CLOSE_S = 2.0  # for what still waits at a stop


class Trail:
    """Says what happened; never waits for a target and never fails.

    Args:
        targets: where messages go.
        us: this node.
        source: which node reports (AuditSourceID), stable over restarts.
    """

    def __init__(self, targets: Sequence[Target], us: Node, source: str) -> None:
        self.us = us
        self._source = source
        self._senders = [_Sender(target) for target in targets]

    def close(self) -> None:
        """Give what still waits a moment; what remains then is counted as lost."""
        end = time.monotonic() + CLOSE_S
        for sender in self._senders:
            sender.stop(end)

    def started(self) -> None:
        """This node is up."""
        self._say(messages.application(self.us, starts=True))

    def stopped(self) -> None:
        """This node goes down."""
        self._say(messages.application(self.us, starts=False))

    def begin(self, transfer: Transfer) -> None:
        """The first instance of a study comes in or goes out."""
        self._say(messages.begin(transfer))

    def transferred(self, transfer: Transfer, *, succeeded: bool, new: bool = False) -> None:
        """Instances came in or went out; failures get a message of their own.

        Args:
            transfer: with the number of instances.
            succeeded: whether the receiver has them now.
            new: whether it is known not to have had them before.
        """
        self._say(messages.transferred(transfer, succeeded=succeeded, new=new))

    def queried(self, other: Node, sop_class_uid: str, query: bytes) -> None:
        """We asked another node for studies; ``query`` is the encoded identifier."""
        self._say(messages.queried(self.us, other, sop_class_uid, query))

    def deleted(self, study_instance_uid: str, patient_id: str) -> None:
        """A study and its results were deleted here."""
        self._say(messages.deleted(self.us, study_instance_uid, patient_id))

    def patient_record(self, account: str, access: Access, patient_id: str) -> None:
        """An account on this host used a patient's record."""
        self._say(messages.patient_record(self.us, account, access, patient_id))

    def authenticated(
        self, account: str, address: str, *, leaves: bool = False, succeeded: bool = True
    ) -> None:
        """Somebody logged in to the pages, tried to, or left."""
        told = messages.authenticated(self.us, account, address, leaves=leaves, succeeded=succeeded)
        self._say(told)

    def imported(self, account: str, file: str) -> None:
        """An account on this host imported a file into patients' records."""
        self._say(messages.imported(self.us, account, file))

    def alert(self, other: Node, kind: AlertType, what: str) -> None:
        """Another node tried what it may not; ``what`` names no patient."""
        self._say(messages.alert(self.us, other, kind, what))

    def _say(self, message: Element) -> None:
        encoded = messages.finish(message, self._source)
        for sender in self._senders:
            sender.put(encoded)


class _Sender(threading.Thread):
    """Brings messages to one target, one after the other."""

    def __init__(self, target: Target) -> None:
        super().__init__(name=f"audit {target.kind}", daemon=True)
        self._target = target
        self._waiting: queue.Queue[bytes | None] = queue.Queue(BACKLOG)
        self._stopping = threading.Event()
        self._failures = 0
        self.start()

    def put(self, message: bytes) -> None:
        """Queue a message; with a full queue it is lost, counted and alerted on."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self._lose(1)

    def run(self) -> None:
        """Until stopped."""
        while (message := self._waiting.get()) is not None:
            while not self._deliver(message):
                if self._stopping.wait(_pause(self._failures)):
                    self._lose(1)
                    break
        self._target.close()

    def _deliver(self, message: bytes) -> bool:
        try:
            self._target.write(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must go on
            if not self._failures:
                log.error("audit target=%s fails error=%s", self._target.kind, error)
            self._failures += 1
            return False
        if self._failures:
            log.warning("audit target=%s works again", self._target.kind)
        self._failures = 0
        metrics.AUDIT.labels(self._target.kind, "written").inc()
        return True

    def _lose(self, number: int) -> None:
        metrics.AUDIT.labels(self._target.kind, "lost").inc(number)

    def stop(self, end: float) -> None:
        """Try once more for each message that waits, until ``end`` by the monotonic clock."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=max(end - time.monotonic(), 0.0))
        self.join(max(end - time.monotonic(), 0.0))
        if self.is_alive():
            self._lose(self._waiting.qsize())


def _pause(failures: int) -> float:
    """Seconds; the exponent's limit keeps a float from overflowing after a day."""
    first, longest = PAUSE_S
    return min(first * 2.0 ** min(failures - 1, 62), longest)


def open_trail(node: config.Config, role: str) -> Trail:
    """The trail that a node's configuration asks for.

    Args:
        node: the configuration.
        role: of this process, so that two of one node do not share a file.

    Raises:
        ConfigError: the TLS files of the syslog server cannot be used.
    """
    host = socket.gethostname()
    targets: list[Target] = []
    if node.audit.file:
        targets.append(File(node.data / "audit" / f"{node.name}-{role}.log", node.audit))
    if node.audit.syslog is not None:
        targets.append(Syslog(node.audit.syslog, host))
    return Trail(targets, Node(node.receive.ae_title, host), f"{node.name}@{host}")


SILENT = Trail((), Node(""), "")
"""Says nothing to anybody."""

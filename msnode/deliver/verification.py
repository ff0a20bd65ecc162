"""When a result that was sent counts as delivered: at once, when found, when committed to."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pydicom.uid import generate_uid

from msnode import metrics
from msnode.config import Destination, DicomPeer, Retry, StowServer
from msnode.deliver.backoff import pause, steady_pause
from msnode.deliver.commitment import COMMITMENT, request_commitment
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Commitment, Receipt
from msnode.requestor.peer import offering
from msnode.requestor.query import FIND
from msnode.store.commitments import Commitments, Request, State
from msnode.store.receipts import Receipts, count, proven

NOT_FOUND = "the peer said that it stored it, but a search does not show it"


NEEDED = {"find": FIND, "commitment": COMMITMENT}
"""SOP Class by `DicomPeer.verify`."""


def negotiate(destination: DicomPeer, calling_ae_title: str) -> None:
    """Negotiate with a peer what its verification needs, and ask for nothing.

    Raises:
        TryLater: the peer cannot be reached.
        Refused: it does not support it.
    """
    if (needed := NEEDED.get(destination.verify)) is not None:
        with offering(needed, destination, calling_ae_title):
            return


@dataclass(frozen=True, slots=True)
class Delivery:
    """The way of one result to one destination.

    Attributes:
        files: the result objects by SOPInstanceUID; for a webhook, the signal by its identifier.
        calling: our AE title.
        last_instance_at: unix time in seconds of the study's last instance; None where the result
            was made anew without one, so that the time since then says nothing.
    """

    destination: Destination
    study_key: str
    generation: int
    files: Mapping[str, Path]
    calling: str
    last_instance_at: float | None

    def paths(self, receipts: Sequence[Receipt]) -> list[Path]:
        """The files of these objects, as far as they are still there."""
        uids = [receipt.sop_instance_uid for receipt in receipts]
        return [self.files[uid] for uid in uids if uid in self.files]

    @property
    def peer(self) -> DicomPeer:
        """The destination of a delivery that is to be proven."""
        assert isinstance(self.destination, DicomPeer)  # noqa: S101 - its `proof` says so
        return self.destination

    @property
    def server(self) -> StowServer:
        """Likewise, of a DICOMweb server."""
        assert isinstance(self.destination, StowServer)  # noqa: S101 - likewise
        return self.destination

    @property
    def place(self) -> tuple[str, str, int]:
        """Under which its receipts and commitment requests are known."""
        return self.destination.name, self.study_key, self.generation


class Verification(Protocol):
    """How a destination proves what it was sent; raises TryLater and Refused as its peer does."""

    def review(self, delivery: Delivery) -> None:
        """Before sending: what was sent earlier is proven by now, missing, or neither."""

    def prove(self, delivery: Delivery, *, is_news: bool) -> None:
        """After sending, ``is_news`` if there was something: ask for what is not proven."""

    def due_s(self, delivery: Delivery, attempt: int) -> float | None:
        """Seconds until what was sent is looked after again; None: it is given up."""


class Unverified:
    """The answer to the C-STORE is all the proof there is."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts

    def review(self, delivery: Delivery) -> None:
        """What was sent is delivered: another proof was asked for when it was."""
        for receipt in self._receipts.sent(*delivery.place):
            self._receipts.save(proven(receipt), delivery.study_key, delivery.generation)
            count(proven(receipt))

    def prove(self, delivery: Delivery, *, is_news: bool) -> None:
        """Nothing is to be asked."""

    def due_s(self, delivery: Delivery, attempt: int) -> float | None:
        """As after any failed attempt."""
        return pause(delivery.destination.retry, attempt)


Look = Callable[[Sequence[Path], Delivery], frozenset[str]]
"""Asks the destination of a delivery which of these objects it shows, by their UIDs."""


class ByFind:
    """A search must show an object; one that it does not show the second time is sent again.

    Args:
        receipts: of all destinations.
        look: C-FIND or QIDO-RS.
    """

    def __init__(self, receipts: Receipts, look: Look) -> None:
        self._receipts = receipts
        self._search = look

    def review(self, delivery: Delivery) -> None:
        """Look for what was sent in an earlier attempt."""
        for receipt in self._look(delivery):
            missing = replace(receipt, sent=False, detail=NOT_FOUND)
            self._keep(delivery, missing)

    def prove(self, delivery: Delivery, *, is_news: bool) -> None:
        """Look for what was sent just now; a peer may need a moment, so nothing is missing yet."""
        if is_news:
            self._look(delivery)

    def due_s(self, delivery: Delivery, attempt: int) -> float | None:
        """As after any failed attempt."""
        return pause(delivery.destination.retry, attempt)

    def _look(self, delivery: Delivery) -> list[Receipt]:
        """Settle what the peer shows; returns the receipts of what it does not."""
        sent = self._receipts.sent(*delivery.place)
        if not sent:
            return []
        found = self._search(delivery.paths(sent), delivery)
        for receipt in sent:
            if receipt.sop_instance_uid in found:
                self._keep(delivery, proven(receipt))
        return [receipt for receipt in sent if receipt.sop_instance_uid not in found]

    def _keep(self, delivery: Delivery, receipt: Receipt) -> None:
        self._receipts.save(receipt, delivery.study_key, delivery.generation)
        count(receipt)


class ByCommitment:
    """The peer must take over the responsibility (PS3.4 J); it may take its time to say so."""

    def __init__(self, receipts: Receipts, commitments: Commitments) -> None:
        self._receipts = receipts
        self._commitments = commitments

    def review(self, delivery: Delivery) -> None:
        """Settle what was reported since."""
        for request in self._requests(delivery, State.REPORTED):
            self.settle(request)

    def settle(self, request: Request) -> tuple[Receipt, ...]:
        """Bring one report into the receipts; returns those that it changed."""
        changed = self._receipts.settle(request, self._commitments)
        if changed:
            complete = all(receipt.delivered for receipt in changed)
            _note(request.destination, "committed" if complete else "incomplete")
        for receipt in changed:
            count(receipt)
        return changed

    def prove(self, delivery: Delivery, *, is_news: bool) -> None:
        """Ask, where there is news or the last request was not answered in time."""
        sent = self._receipts.sent(*delivery.place)
        asked = self._requests(delivery, State.REQUESTED)
        is_late = bool(asked) and self._left_s(delivery, asked) == 0
        if is_late:
            _note(delivery.destination.name, "unanswered")
        may_ask = is_news or not asked or (is_late and not self._is_over(delivery, asked))
        if sent and may_ask:
            self._ask(delivery, sent)
            self.review(delivery)

    def due_s(self, delivery: Delivery, attempt: int) -> float | None:
        """When the last request will be late; without one, as after a failed attempt."""
        asked = self._requests(delivery, State.REQUESTED)
        left = self._left_s(delivery, asked) if asked else 0.0
        if left:
            return left
        over = bool(asked) and self._is_over(delivery, asked)
        due = None if over else pause(delivery.destination.retry, attempt)
        if due is None:
            self._commitments.expire(request.transaction_uid for request in asked)
        return due

    def _left_s(self, delivery: Delivery, asked: list[Request]) -> float:
        """Seconds that the peer has left to report on the last of the requests."""
        seconds = steady_pause(_patience(delivery.peer), len(asked)) or 0.0
        return max(asked[-1].requested_at + seconds - time.time(), 0.0)

    def _is_over(self, delivery: Delivery, asked: list[Request]) -> bool:
        """Whether it was asked as often as it is to be."""
        return steady_pause(_patience(delivery.peer), len(asked) + 1) is None

    def _requests(self, delivery: Delivery, state: State) -> list[Request]:
        return [r for r in self._commitments.of(*delivery.place) if r.state == state]

    def _ask(self, delivery: Delivery, sent: Sequence[Receipt]) -> None:
        """Note a request, so that no report can be unknown, then make it."""
        uid = str(generate_uid())
        destination = delivery.peer
        self._commitments.add(uid, *delivery.place)

        def keep(commitment: Commitment) -> bool:
            return self._commitments.report(commitment, [destination.name])

        def is_reported() -> bool:
            return any(r.transaction_uid == uid for r in self._requests(delivery, State.REPORTED))

        try:
            paths = delivery.paths(sent)
            request_commitment(paths, destination, delivery.calling, uid, keep, is_reported)
        except (TryLater, Refused):
            self._commitments.expire([uid])
            raise
        _note(destination.name, "requested")


def _patience(destination: DicomPeer) -> Retry:
    """How often a peer is asked that does not report: as it is tried, but from ``verify_s`` on."""
    longest = max(destination.verify_s, destination.retry.longest_s)
    return replace(destination.retry, first_s=destination.verify_s, longest_s=longest)


def _note(destination: str, outcome: str) -> None:
    metrics.COMMITMENTS.labels(destination, outcome).inc()

"""One attempt after the other: send what is missing, have it proven, say when to look again."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypedDict

import sqlalchemy as sa

from msnode import metrics
from msnode.audit import SILENT, Trail
from msnode.config import (
    Destination,
    DicomPeer,
    FhirServer,
    Folder,
    Hl7Destination,
    StowServer,
    Webhook,
)
from msnode.deliver.backoff import pause
from msnode.deliver.c_find import find
from msnode.deliver.c_store import read_item, send
from msnode.deliver.fhir import transact
from msnode.deliver.folder import copy
from msnode.deliver.mllp_sender import read_control_id, send_messages
from msnode.deliver.outages import Outages
from msnode.deliver.stow import shown, store
from msnode.deliver.transfer_audit import begun, ended
from msnode.deliver.verification import (
    ByCommitment,
    ByFind,
    Delivery,
    Unverified,
    Verification,
)
from msnode.deliver.webhook import post, read
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from msnode.store.commitments import Commitments, Request
from msnode.store.receipts import Receipts, count

log = logging.getLogger(__name__)

NOT_PROVEN = "the peer said that it stored it, but never proved it"


class Attempt(TypedDict):
    """What one attempt at a destination came to, and when the next is due (None: never).

    ``delivered`` is also said of a result that is not to be delivered any more.
    """

    delivered: bool
    pause_s: float | None


def deliver(
    paths: Sequence[Path], destination: Destination, calling_ae_title: str
) -> tuple[Receipt, ...]:
    """Try once to bring results to a destination: over one association, by copying, or by POST.

    Args:
        paths: the result files; for a webhook, signals.
        destination: of any kind.
        calling_ae_title: ours.

    Returns:
        One receipt per path, in their order; trouble with the peer is in them: ``delivered``, or
        ``sent`` where the destination is to prove it; else ``retry`` tells whether another
        attempt makes sense.

    Raises:
        ConfigError: the destination's TLS files cannot be used.
    """
    receipts = _brought(paths, destination, calling_ae_title)
    if destination.proof != "none":
        receipts = tuple(_unproven(r) if r.delivered else r for r in receipts)
    for receipt in receipts:
        count(receipt)
    return receipts


def _brought(
    paths: Sequence[Path], destination: Destination, calling_ae_title: str
) -> tuple[Receipt, ...]:
    """By the way that this kind of destination takes."""
    match destination:
        case DicomPeer():
            return send(paths, destination, calling_ae_title)
        case Folder():
            return copy(paths, destination)
        case Webhook():
            return post(paths, destination)
        case StowServer():
            return store(paths, destination)
        case FhirServer():
            return transact(paths, destination)
        case Hl7Destination():
            return send_messages(paths, destination)


class Deliveries:
    """Brings results to their destinations, with a receipt for every object.

    Args:
        database: migrated.
        trail: the audit trail.
    """

    def __init__(self, database: sa.Engine, trail: Trail = SILENT) -> None:
        self._trail = trail
        self._receipts = receipts = Receipts(database)
        self._commitments = commitments = Commitments(database)
        self._by_commitment = ByCommitment(receipts, commitments)
        self._outages = Outages()
        self._verifications: dict[str, Verification] = {
            "none": Unverified(receipts),
            "find": ByFind(receipts, lambda sent, by: find(sent, by.peer, by.calling)),
            "qido": ByFind(receipts, lambda sent, by: shown(sent, by.server)),
            "commitment": self._by_commitment,
        }

    def attempt(self, delivery: Delivery, attempt: int) -> Attempt:
        """Bring what is missing to the destination, once.

        Args:
            delivery: which result, and where to.
            attempt: counts from 1; the first, also of a series begun by hand, includes what was
                refused for good.
        """
        if self._supersede(delivery):
            return {"delivered": True, "pause_s": None}
        verification = self._verifications[delivery.destination.proof]
        self._try(delivery, partial(verification.review, delivery))
        paths = self._unsent(delivery, attempt)
        self._send(delivery, paths, attempt)
        self._try(delivery, partial(verification.prove, delivery, is_news=bool(paths)))
        return self._judged(delivery, verification, attempt)

    def _supersede(self, delivery: Delivery) -> bool:
        """Give up a result that a revised one has replaced before any of it was sent.

        It would arrive after the newer one and look like the last word. Of what was partly sent
        the rest follows: half a result misleads more.
        """
        newest = self._receipts.newest(delivery.study_key)
        known = self._receipts.at(*delivery.place)
        if newest <= delivery.generation or any(r.delivered or r.sent for r in known):
            return False
        detail = f"superseded by revision {newest}"
        for uid in delivery.files:
            receipt = Receipt(delivery.destination.name, uid, None, False, 0, detail)
            self._save(replace(receipt, superseded=True), delivery)
            count(replace(receipt, superseded=True))
        log.info("study=%s destination=%s generation=%d superseded by=%d",
                 delivery.study_key, delivery.destination.name, delivery.generation,
                 newest)  # fmt: skip
        return True

    def reported(self) -> tuple[Request, ...]:
        """Commitment requests on which a peer has reported, and nobody has looked yet."""
        return self._commitments.reported()

    def settle(self, request: Request, destination: Destination | None) -> float:
        """Bring a report into the receipts.

        Args:
            request: one of `reported`.
            destination: it was made to; None where it is not configured any more.

        Returns:
            Seconds until the next attempt: none if all is committed, else those of the back-off.
        """
        changed = self._by_commitment.settle(request)
        missing = [receipt for receipt in changed if not receipt.delivered]
        log.info(
            "study=%s destination=%s reported committed=%d missing=%d",
            request.study_key, request.destination, len(changed) - len(missing), len(missing),
        )  # fmt: skip
        if not missing or destination is None:
            return 0.0
        return pause(destination.retry, max(r.attempts for r in missing)) or 0.0

    def _send(self, delivery: Delivery, paths: Sequence[Path], attempt: int) -> None:
        """Send objects and keep their receipts."""
        if attempt == 1:
            begun(self._trail, delivery, paths)
        receipts = deliver(paths, delivery.destination, delivery.calling)
        if receipts:
            self._outages.note(
                delivery.destination.name, any(r.retry for r in receipts if not r.sent)
            )
        for receipt in receipts:
            self._save(replace(receipt, attempts=attempt), delivery)
        ended(self._trail, delivery, receipts)

    def _try(self, delivery: Delivery, step: Callable[[], None]) -> None:
        """A step of the verification; what goes wrong is in the receipts of what was sent."""
        try:
            step()
        except (TryLater, Refused) as error:
            is_final = isinstance(error, Refused)
            for receipt in self._receipts.sent(*delivery.place):
                after = replace(receipt, detail=str(error), sent=not is_final, retry=not is_final)
                self._save(after, delivery)
                if is_final:
                    count(after)

    def _save(self, receipt: Receipt, delivery: Delivery) -> None:
        self._receipts.save(receipt, delivery.study_key, delivery.generation)

    def _unsent(self, delivery: Delivery, attempt: int) -> list[Path]:
        """The objects that this destination does not have yet and did not refuse for good."""
        settled = {
            receipt.sop_instance_uid
            for receipt in self._receipts.at(*delivery.place)
            if receipt.delivered or receipt.sent or (attempt > 1 and not receipt.retry)
        }
        return [path for uid, path in delivery.files.items() if uid not in settled]

    def _judged(self, delivery: Delivery, verification: Verification, attempt: int) -> Attempt:
        """Delivered, due again after a pause, or given up."""
        found = self._receipts.at(*delivery.place)
        missing = [receipt for receipt in found if not receipt.delivered]
        if not missing:
            if delivery.last_instance_at is not None:
                waited = time.time() - delivery.last_instance_at
                metrics.RESULT_SECONDS.labels(delivery.destination.name).observe(max(waited, 0.0))
            log.info(
                "study=%s destination=%s generation=%d delivered objects=%d attempts=%d",
                delivery.study_key, delivery.destination.name, delivery.generation, len(found),
                attempt,
            )  # fmt: skip
            return {"delivered": True, "pause_s": None}
        due: list[float | None] = []
        if any(receipt.retry and not receipt.sent for receipt in missing):
            due.append(pause(delivery.destination.retry, attempt))
        if any(receipt.sent for receipt in missing):
            due.append(verification.due_s(delivery, attempt))
        next_s = min((seconds for seconds in due if seconds is not None), default=None)
        if next_s is None:
            self._give_up(delivery, missing)
        _log(delivery, attempt, missing, next_s)
        return {"delivered": False, "pause_s": next_s}

    def _give_up(self, delivery: Delivery, missing: Sequence[Receipt]) -> None:
        """Count what is dead; a series begun by hand sends again what was never proven."""
        for receipt in missing:
            if receipt.sent:
                unproven = replace(receipt, sent=False, detail=receipt.detail or NOT_PROVEN)
                self._save(unproven, delivery)
        dead = sum(receipt.retry for receipt in missing)  # others were counted when refused
        metrics.DELIVERIES.labels(delivery.destination.name, "dead").inc(dead)


def _unproven(receipt: Receipt) -> Receipt:
    """The receipt of an object that the peer says it stored."""
    return replace(receipt, delivered=False, retry=True, sent=True)


def _log(
    delivery: Delivery, attempt: int, missing: Sequence[Receipt], next_s: float | None
) -> None:
    """Say what is not delivered yet: as news, as trouble, or as the end of it."""
    level = logging.INFO if all(receipt.sent for receipt in missing) else logging.WARNING
    log.log(
        logging.ERROR if next_s is None else level,
        "study=%s destination=%s attempt=%d undelivered=%d sent=%d %s detail=%r",
        delivery.study_key, delivery.destination.name, attempt, len(missing),
        sum(receipt.sent for receipt in missing),
        "gave up" if next_s is None else f"again in {next_s:.1f} s", missing[0].detail,
    )  # fmt: skip


def identify(path: Path) -> str:
    """The UID under which the receipts know a result file, or the ID of a signal or a message.

    Raises:
        Refused: it is none of them.
    """
    if path.suffix == ".hl7":
        return read_control_id(path)[0]
    return read(path)[0] if path.suffix == ".json" else read_item(path).sop_instance_uid

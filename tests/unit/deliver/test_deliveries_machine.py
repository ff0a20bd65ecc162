"""Whatever a peer answers, in whatever order: each object gets there once, or is called dead."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msnode.config import DicomPeer, Retry
from msnode.deliver import deliveries, verification
from msnode.deliver.verification import Delivery
from msnode.errors import Refused, TryLater
from msnode.metrics import DELIVERIES
from msnode.records.receipt import Commitment, Receipt
from msnode.store import database, schema
from msnode.store.commitments import Commitments
from msnode.store.receipts import Receipts
from tests.dicom import secondary_capture

STUDY = "0123456789abcdef"
UIDS = ("2.25.1", "2.25.2", "2.25.3")
RETRY = Retry(first_s=10.0, longest_s=10.0, give_up_s=25.0)  # four attempts
ANSWERS = {
    "success": (0x0000, True, False),
    "warning": (0xB000, True, False),
    "refused": (0x0122, False, False),
    "busy": (0xA700, False, True),
    "silent": (None, False, True),
}
"""Status, delivered, retry."""
TROUBLE = {"later": TryLater("away"), "never": Refused("not supported")}
OPEN = st.sampled_from(["", "", "", *TROUBLE])
REASONS = st.sampled_from([0, 0x0110, 0x0112, 0x0119, 0x7777])
"""Failure Reason of an object; 0: it is committed."""


@cache
def result_files() -> dict[str, Path]:
    """A result of three objects; it lasts as long as the process."""
    folder = tempfile.TemporaryDirectory()
    result_files.folder = folder  # type: ignore[attr-defined]
    files = {uid: Path(folder.name) / f"{uid}.dcm" for uid in UIDS}
    for uid, path in files.items():
        secondary_capture(SOPInstanceUID=uid).save_as(path, enforce_file_format=True)
    return files


class DeliveriesMachine(RuleBasedStateMachine):
    """One result on its way to one peer, which answers as it likes."""

    @initialize(verify=st.sampled_from(["none", "find", "commitment"]))
    def begin(self, verify: Any) -> None:
        self.stack = ExitStack()
        self.engine = database.open_database("sqlite://")
        schema.migrate(self.engine)
        self.deliveries = deliveries.Deliveries(self.engine)
        self.receipts, self.commitments = Receipts(self.engine), Commitments(self.engine)
        self.peer = DicomPeer("pacs", "PACS", "pacs", retry=RETRY, verify=verify, verify_s=20.0)
        self.attempt, self.is_open, self.has_it = 1, True, False
        self.answers: dict[str, str] = {}
        self.trouble, self.reasons = "", [0, 0, 0]
        self.asked: list[tuple[str, list[str]]] = []  # not reported yet
        self.delivered: set[str] = set()
        self.given_up: set[str] = set()
        self.dead_before = self.dead()
        for module, name in (
            (deliveries, "send"),
            (deliveries, "find"),
            (verification, "request_commitment"),
        ):
            self.stack.enter_context(patch.object(module, name, getattr(self, name)))

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()
            self.engine.dispose()

    # --- what the peer does ---

    def send(self, paths: Sequence[Path], *_: object) -> tuple[Receipt, ...]:
        """The C-STORE; nothing may be sent that the peer has or that is settled otherwise."""
        found = {receipt.sop_instance_uid: receipt for receipt in self.found()}
        receipts = []
        self.given_up -= {path.stem for path in paths}  # it has its chance again
        for uid in (path.stem for path in paths):
            if uid in found:
                known = found[uid]
                assert not known.delivered, "sent again"
                assert not known.sent, "sent again before it is known to be missing"
                assert known.retry or self.attempt == 1, "sent again although refused for good"
            status, delivered, retry = ANSWERS[self.answers[uid]]
            receipts.append(Receipt("pacs", uid, status, delivered, 1, "", retry))
        return tuple(receipts)

    def find(self, paths: Sequence[Path], *_: object) -> frozenset[str]:
        """The C-FIND; the peer shows what it has a mind to."""
        if self.trouble:
            raise TROUBLE[self.trouble]
        wanted = {path.stem for path in paths}
        return frozenset(u for u, r in zip(UIDS, self.reasons, strict=True) if r == 0) & wanted

    def request_commitment(self, paths: Sequence[Path], *rest: Any) -> None:
        """The N-ACTION; the report comes at once or later."""
        _, _, transaction_uid, keep, _ = rest
        if self.trouble:
            raise TROUBLE[self.trouble]
        uids = [path.stem for path in paths]
        if self.has_it:
            keep(self.said(transaction_uid, uids, self.reasons))
        else:
            self.asked.append((transaction_uid, uids))

    @staticmethod
    def said(transaction_uid: str, uids: list[str], reasons: Sequence[int]) -> Commitment:
        failed = {u: r for u, r in zip(UIDS, reasons, strict=True) if u in uids and r}
        return Commitment(transaction_uid, frozenset(uids) - failed.keys(), failed)

    # --- what happens ---

    @precondition(lambda self: self.is_open)
    @rule(
        answers=st.tuples(*[st.sampled_from(sorted(ANSWERS))] * 3),
        trouble=OPEN,
        reasons=st.tuples(REASONS, REASONS, REASONS),
        at_once=st.booleans(),
    )
    def it_is_tried(
        self, answers: Sequence[str], trouble: str, reasons: Sequence[int], at_once: bool
    ) -> None:
        self.answers = dict(zip(UIDS, answers, strict=True))
        self.trouble, self.reasons, self.has_it = trouble, list(reasons), at_once
        delivery = Delivery(self.peer, STUDY, 1, result_files(), "MSNODE", time.time())
        outcome = self.deliveries.attempt(delivery, self.attempt)
        missing = [receipt for receipt in self.found() if not receipt.delivered]
        assert {receipt.sop_instance_uid for receipt in self.found()} == set(UIDS)
        assert outcome["delivered"] == (not missing)
        open_ = [receipt for receipt in missing if receipt.sent or receipt.retry]
        if outcome["pause_s"] is not None:
            assert open_, "it goes on with nothing to do"
            assert 0 < outcome["pause_s"] <= 20.0
            self.attempt += 1
            return
        assert not any(receipt.sent for receipt in missing), "waited for, and nobody looks"
        if open_:
            assert self.attempt >= 4 or self.peer.verify == "commitment", "given up too early"
        dead = self.dead() - self.dead_before
        # one that nobody would prove was dead, until a report came after all
        revived = self.given_up & {receipt.sop_instance_uid for receipt in self.found()
                                   if receipt.delivered}  # fmt: skip
        assert dead == len(missing) + len(revived), "not each dead one is counted once"
        self.is_open = False

    @precondition(lambda self: not self.is_open)
    @rule()
    def it_is_begun_again_by_hand(self) -> None:
        self.attempt, self.is_open, self.dead_before = 1, True, self.dead()
        self.given_up = set()

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), reasons=st.tuples(REASONS, REASONS, REASONS), swept=st.booleans())
    def a_report_comes_late(self, data: st.DataObject, reasons: Sequence[int], swept: bool) -> None:
        which = data.draw(st.integers(0, len(self.asked) - 1))
        transaction_uid, uids = self.asked.pop(which)
        assert self.commitments.report(self.said(transaction_uid, uids, reasons), ["pacs"])
        if swept:
            for request in self.deliveries.reported():
                assert 0 <= self.deliveries.settle(request, self.peer) <= RETRY.longest_s
            assert self.deliveries.reported() == ()

    @precondition(lambda self: self.delivered)
    @rule(data=st.data(), retry=st.booleans())
    def a_host_that_was_cut_off_ends_its_attempt(self, data: st.DataObject, retry: bool) -> None:
        """Another has taken over its work meanwhile, and got through."""
        uid = data.draw(st.sampled_from(sorted(self.delivered)))
        self.receipts.save(Receipt("pacs", uid, None, False, 1, "", retry), STUDY, 1)

    @precondition(lambda self: self.asked)
    @rule(seconds=st.sampled_from([5.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE commitments SET requested_at = requested_at - :s"), {"s": seconds}
            )

    @invariant()
    def what_is_delivered_stays_delivered(self) -> None:
        if not hasattr(self, "receipts"):
            return
        now = {receipt.sop_instance_uid for receipt in self.found() if receipt.delivered}
        assert now >= self.delivered
        self.delivered = now

    @invariant()
    def a_receipt_says_one_thing(self) -> None:
        if not hasattr(self, "receipts"):
            return
        for receipt in self.found():
            assert not (receipt.delivered and (receipt.sent or receipt.retry))
            assert receipt.retry or not receipt.sent
            if not (receipt.delivered or receipt.retry):
                self.given_up.add(receipt.sop_instance_uid)

    def found(self) -> tuple[Receipt, ...]:
        return self.receipts.at("pacs", STUDY, 1)

    @staticmethod
    def dead() -> float:
        return float(DELIVERIES.labels("pacs", "dead")._value.get())


TestDeliveries = DeliveriesMachine.TestCase
TestDeliveries.settings = settings(
    max_examples=18,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)

"""Storage commitment: a result counts as delivered when its peer has taken the responsibility."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from msnode import audit
from msnode.audit import Trail
from msnode.config import DicomPeer, Retry
from msnode.deliver import commitment
from msnode.deliver.deliveries import Attempt, Deliveries
from msnode.deliver.verification import Delivery, negotiate
from msnode.errors import Refused
from msnode.records.receipt import Receipt
from msnode.store.commitments import Commitments, State, read_report
from msnode.store.receipts import Receipts
from tests.acceptance import peers
from tests.integration import committing
from tests.integration.committing import NO_SUCH_INSTANCE, Pacs, on_same_association, outcome

STUDY = "0123456789abcdef"
AT_ONCE = Retry(first_s=10.0, longest_s=10.0, give_up_s=35.0)


@dataclass
class Node:
    """Deliveries of one result with two objects, on a database of their own."""

    database: sa.Engine
    files: dict[str, Path]

    def __post_init__(self) -> None:
        self.deliveries = Deliveries(self.database)
        self.receipts = Receipts(self.database)
        self.commitments = Commitments(self.database)

    def attempt(self, destination: DicomPeer, attempt: int = 1) -> Attempt:
        delivery = Delivery(destination, STUDY, 1, self.files, "MSNODE", time.time())
        return self.deliveries.attempt(delivery, attempt)

    def states(self) -> list[str]:
        """Of the receipts: delivered, sent, missing (to be sent again) or dead."""
        return [_state(receipt) for receipt in self.receipts.of(STUDY, 1)]

    def requests(self) -> list[State]:
        return [request.state for request in self.commitments.of("pacs", STUDY, 1)]

    def settle(self, destination: DicomPeer) -> list[float]:
        """As the sweeper does; seconds until the next attempt."""
        return [
            self.deliveries.settle(request, destination) for request in self.deliveries.reported()
        ]

    def report(self, information: Dataset) -> bool:
        return self.commitments.report(read_report(information), ["pacs"])

    def past(self, seconds: float) -> None:
        """Let the requests have been made some seconds earlier."""
        with self.database.begin() as connection:
            connection.execute(
                sa.text("UPDATE commitments SET requested_at = requested_at - :s"), {"s": seconds}
            )


def _state(receipt: Receipt) -> str:
    if receipt.delivered:
        return "delivered"
    if receipt.sent:
        return "sent"
    return "missing" if receipt.retry else "dead"


@pytest.fixture
def node(database: sa.Engine, save_dicom: Callable[..., Path]) -> Node:
    return Node(database, {uid: save_dicom(uid) for uid in ("2.25.1", "2.25.2")})


@pytest.fixture
def pacs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pacs]:
    """A PACS that never reports; the request's association closes at once."""
    monkeypatch.setattr(commitment, "WAIT_S", 0.0)
    with committing.pacs() as running:
        running.destination = replace(running.destination, retry=AT_ONCE, verify_s=20.0)
        yield running


def counted(name: str, outcome: str) -> float:
    labels = {"destination": "pacs", "outcome": outcome}
    return REGISTRY.get_sample_value(f"msnode_{name}_total", labels) or 0.0


# --- a report on the same association ---


def test_a_report_on_the_same_association_is_all_it_takes(node: Node) -> None:
    before = counted("deliveries", "delivered")
    with committing.pacs(on_same_association()) as pacs:
        assert node.attempt(pacs.destination) == {"delivered": True, "pause_s": None}
        peers.wait(lambda: pacs.statuses, 5, "the answer to the report")
    assert pacs.statuses == [0x0000]
    assert node.states() == ["delivered", "delivered"]
    assert node.requests() == [State.SETTLED]
    assert counted("deliveries", "delivered") == before + 2


def test_what_the_peer_does_not_have_is_sent_again_after_a_pause(node: Node) -> None:
    lost = {"2.25.2": NO_SUCH_INSTANCE}
    with committing.pacs(on_same_association(lost)) as pacs:
        first = node.attempt(pacs.destination)
        assert not first["delivered"]
        assert first["pause_s"] is not None
        assert 8 <= first["pause_s"] <= 12
        assert node.states() == ["delivered", "missing"]
        assert "0x0112 No such object instance" in node.receipts.of(STUDY, 1)[1].detail
        pacs.react = on_same_association()
        assert node.attempt(pacs.destination, 2)["delivered"]
    assert pacs.received == ["2.25.1", "2.25.2", "2.25.2"]
    (again,) = pacs.requests[1].ReferencedSOPSequence
    assert again.ReferencedSOPInstanceUID == "2.25.2"
    assert len({request.TransactionUID for request in pacs.requests}) == 2


@pytest.mark.parametrize("reason", [0x0110, 0x0213, 0x0131])
def test_a_peer_in_trouble_is_only_asked_again(node: Node, reason: int) -> None:
    with committing.pacs(on_same_association({"2.25.2": reason})) as pacs:
        assert node.attempt(pacs.destination)["pause_s"] is not None
        assert node.states() == ["delivered", "sent"]
        pacs.react = on_same_association()
        assert node.attempt(pacs.destination, 2)["delivered"]
    assert pacs.received == ["2.25.1", "2.25.2"]


def test_what_a_peer_never_commits_to_is_dead_at_once(node: Node) -> None:
    failed = {"2.25.1": 0x0122, "2.25.2": 0x0119}
    before = counted("deliveries", "dead")
    with committing.pacs(on_same_association(failed)) as pacs:
        assert node.attempt(pacs.destination) == {"delivered": False, "pause_s": None}
    assert node.states() == ["dead", "dead"]
    assert counted("deliveries", "dead") == before + 2


def test_a_reason_that_nobody_knows_means_to_send_again(node: Node) -> None:
    with committing.pacs(on_same_association({"2.25.1": 0xA770})) as pacs:
        assert node.attempt(pacs.destination)["pause_s"] is not None
    assert node.states() == ["missing", "delivered"]


def test_an_object_that_the_report_leaves_out_is_asked_for_again(node: Node) -> None:
    def forget(pacs: Pacs, event: object, request: Dataset) -> None:
        request.ReferencedSOPSequence = request.ReferencedSOPSequence[:1]
        on_same_association()(pacs, event, request)  # type: ignore[arg-type]

    with committing.pacs(forget) as pacs:
        assert node.attempt(pacs.destination)["pause_s"] is not None
        assert node.states() == ["delivered", "sent"]
        pacs.react = on_same_association()
        assert node.attempt(pacs.destination, 2)["delivered"]
    assert len(pacs.received) == 2


# --- a report that comes later, or never ---


def test_until_the_report_comes_nothing_is_delivered_nor_sent_again(node: Node, pacs: Pacs) -> None:
    first = node.attempt(pacs.destination)
    assert not first["delivered"]
    assert first["pause_s"] == pytest.approx(20, abs=1)
    assert node.states() == ["sent", "sent"]
    assert node.receipts.awaiting() == {(STUDY, 1, "pacs")}
    again = node.attempt(pacs.destination, 2)  # as after a crash: the step runs once more
    assert again["pause_s"] == pytest.approx(20, abs=2)
    assert (len(pacs.received), len(pacs.requests)) == (2, 1)
    assert node.report(outcome(pacs.requests[0]))
    assert node.attempt(pacs.destination, 2)["delivered"]
    assert node.receipts.awaiting() == frozenset()


def test_a_late_report_hastens_the_next_attempt(node: Node, pacs: Pacs) -> None:
    node.attempt(pacs.destination)
    assert node.settle(pacs.destination) == []
    node.report(outcome(pacs.requests[0]))
    assert node.settle(pacs.destination) == [0.0]
    assert node.states() == ["delivered", "delivered"]
    assert node.settle(pacs.destination) == [], "once is enough"


def test_a_late_report_of_failures_leaves_the_pause_of_the_back_off(node: Node, pacs: Pacs) -> None:
    node.attempt(pacs.destination)
    node.report(outcome(pacs.requests[0], {"2.25.1": NO_SUCH_INSTANCE}))
    (seconds,) = node.settle(pacs.destination)
    assert 8 <= seconds <= 12
    assert node.states() == ["missing", "delivered"]


def test_a_peer_that_never_reports_is_asked_again_and_given_up(node: Node, pacs: Pacs) -> None:
    dead, unanswered = counted("deliveries", "dead"), counted("commitments", "unanswered")
    assert node.attempt(pacs.destination)["pause_s"] == pytest.approx(20, abs=1)
    node.past(20)
    assert node.attempt(pacs.destination, 2)["pause_s"] == pytest.approx(20, abs=1)
    assert len(pacs.requests) == 2
    node.past(20)  # 40 s are more than give_up_s
    assert node.attempt(pacs.destination, 3) == {"delivered": False, "pause_s": None}
    assert (len(pacs.received), len(pacs.requests)) == (2, 2)
    assert node.requests() == [State.EXPIRED, State.EXPIRED]
    assert counted("deliveries", "dead") == dead + 2
    assert counted("commitments", "unanswered") == unanswered + 2
    assert {receipt.detail for receipt in node.receipts.of(STUDY, 1)} == {
        "the peer said that it stored it, but never proved it"
    }
    node.attempt(pacs.destination, 1)  # begun again by hand
    assert (len(pacs.received), len(pacs.requests)) == (4, 3)


def test_a_report_that_comes_after_giving_up_still_counts(node: Node, pacs: Pacs) -> None:
    pacs.destination = replace(pacs.destination, retry=replace(AT_ONCE, give_up_s=10.0))
    node.attempt(pacs.destination)
    node.past(20)
    assert node.attempt(pacs.destination, 2)["pause_s"] is None
    assert node.report(outcome(pacs.requests[0]))
    node.settle(pacs.destination)
    assert node.states() == ["delivered", "delivered"]


def test_a_report_on_an_earlier_request_counts_if_it_commits(node: Node, pacs: Pacs) -> None:
    node.attempt(pacs.destination)
    node.past(20)
    node.attempt(pacs.destination, 2)
    earlier, _ = pacs.requests
    assert node.report(outcome(earlier, {"2.25.2": NO_SUCH_INSTANCE}))
    node.settle(pacs.destination)
    assert node.states() == ["delivered", "sent"], "of the failure the later request will tell"


def test_the_same_report_twice_changes_nothing(node: Node, pacs: Pacs) -> None:
    node.attempt(pacs.destination)
    lost = outcome(pacs.requests[0], {"2.25.2": NO_SUCH_INSTANCE})
    assert node.report(lost)
    node.settle(pacs.destination)
    node.attempt(pacs.destination, 2)
    assert node.report(lost), "known, and therefore acknowledged"
    assert node.settle(pacs.destination) == []
    assert node.states() == ["delivered", "sent"]
    assert pacs.received == ["2.25.1", "2.25.2", "2.25.2"]


# --- peers that do not play along ---


def test_a_peer_that_fails_to_take_the_request_is_asked_again(node: Node, pacs: Pacs) -> None:
    pacs.status = 0x0213
    first = node.attempt(pacs.destination)
    assert first["pause_s"] is not None
    assert first["pause_s"] <= 12
    assert node.states() == ["sent", "sent"]
    assert "0x0213" in node.receipts.of(STUDY, 1)[0].detail
    pacs.status, pacs.react = 0x0000, on_same_association()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commitment, "WAIT_S", 5.0)
        assert node.attempt(pacs.destination, 2)["delivered"]
    assert len(pacs.received) == 2, "the peer has them"


def test_a_peer_without_storage_commitment_is_no_destination_for_it(
    node: Node, tmp_path: Path
) -> None:
    with peers.storescp(tmp_path) as scp:
        plain = DicomPeer(
            "pacs", ae_title=scp.ae_title, host="127.0.0.1", port=scp.port, verify="commitment"
        )
        with pytest.raises(Refused, match="does not support the Storage Commitment"):
            negotiate(plain, "MSNODE")
        assert node.attempt(plain) == {"delivered": False, "pause_s": None}
        assert node.states() == ["dead", "dead"]
        assert (
            "does not support the Storage Commitment Push Model"
            in node.receipts.of(STUDY, 1)[0].detail
        )
        node.attempt(replace(plain, verify="none"), 1)
    assert node.states() == ["delivered", "delivered"]


def test_without_the_setting_what_was_sent_counts_again(node: Node, pacs: Pacs) -> None:
    node.attempt(pacs.destination)
    assert node.attempt(replace(pacs.destination, verify="none"), 2)["delivered"]
    assert len(pacs.received) == 2


def test_a_report_in_the_name_of_another_is_unknown(node: Node, pacs: Pacs) -> None:
    node.attempt(pacs.destination)
    said = read_report(outcome(pacs.requests[0]))
    assert not node.commitments.report(said, ["archive"])
    assert not node.commitments.report(replace(said, transaction_uid="2.25.99"), ["pacs"])
    assert node.settle(pacs.destination) == []


# --- the audit trail ---


class Memory:
    """Keeps audit messages."""

    kind = "memory"

    def __init__(self) -> None:
        self.messages: list[str] = []

    def write(self, message: bytes) -> None:
        self.messages.append(message.decode())

    def close(self) -> None:
        """Nothing is open."""


def test_the_audit_trail_says_what_was_sent_where(node: Node, pacs: Pacs) -> None:
    memory = Memory()
    trail = Trail([memory], audit.Node("MSNODE"), "msnode@here")
    node.deliveries = Deliveries(node.database, trail)
    gone = replace(pacs.destination, port=peers.free_port())
    node.attempt(gone)  # what never left is no transfer
    node.attempt(pacs.destination, 2)
    node.attempt(pacs.destination, 3)
    trail.close()
    begin, transferred = memory.messages
    assert "Begin Transferring DICOM Instances" in begin
    assert "DICOM Instances Transferred" in transferred
    for said in ('"PACS"', '"127.0.0.1"', "4711", SecondaryCaptureImageStorage):
        assert said in transferred

"""Delivery over real associations: pynetdicom misbehaves on demand, dcmtk is itself."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pydicom
import pytest
from prometheus_client import REGISTRY
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.dsutils import split_dataset
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from msnode import report
from msnode.config import Describe, DicomPeer, Form
from msnode.deliver.c_store import send
from msnode.deliver.deliveries import deliver
from msnode.errors import TryLater
from msnode.records.receipt import Receipt
from msnode.requestor import peer
from msnode.requestor.peer import echo, parse_peer
from tests import reports
from tests.acceptance import peers

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


@dataclass
class Pacs:
    """A storage SCP whose answers a test decides."""

    destination: DicomPeer
    answer: Callable[[Event], int] = lambda _: 0x0000
    received: list[str] = field(default_factory=list)
    associations: int = 0

    def store(self, event: Event) -> int:
        status = self.answer(event)
        if status == 0x0000:
            self.received.append(uid_of(event))
        return status

    def count(self, _: Event) -> None:
        self.associations += 1


def uid_of(event: Event) -> str:
    return str(getattr(event.request, "AffectedSOPInstanceUID", ""))


@contextmanager
def pacs(
    accepted: UID = SecondaryCaptureImageStorage, syntaxes: list[UID] = SYNTAXES
) -> Iterator[Pacs]:
    entity = AE(ae_title="PACS")
    entity.add_supported_context(accepted, syntaxes)
    entity.require_called_aet = True
    port = peers.free_port()
    running = Pacs(DicomPeer("pacs", ae_title="PACS", host="127.0.0.1", port=port))
    handlers: list[EventHandlerType] = [
        (evt.EVT_C_STORE, running.store),
        (evt.EVT_ACCEPTED, running.count),
    ]
    with peers.serving(entity, port, handlers):
        yield running


Save = Callable[..., Path]


def test_all_objects_go_over_one_association(save_dicom: Save) -> None:
    paths = [save_dicom(f"2.25.{number}") for number in range(1, 6)]
    with pacs() as peer_:
        receipts = deliver(paths, peer_.destination, "MSNODE")
    assert [receipt.sop_instance_uid for receipt in receipts] == peer_.received
    assert all(receipt.delivered and receipt.status == 0 for receipt in receipts)
    assert peer_.associations == 1


@pytest.mark.parametrize(
    ("status", "delivered", "retry"),
    [
        (0xB000, True, False),
        (0xA700, False, True),
        (0x0110, False, True),
        (0xA900, False, False),
        (0xC123, False, False),
        (0x0122, False, False),
    ],
)
def test_a_status_means_what_ps3_4_says(
    save_dicom: Save, status: int, delivered: bool, retry: bool
) -> None:
    paths = [save_dicom("2.25.1"), save_dicom("2.25.2")]
    with pacs() as peer_:
        peer_.answer = lambda event: status if uid_of(event) == "2.25.1" else 0x0000
        odd, fine = deliver(paths, peer_.destination, "MSNODE")
    assert (odd.status, odd.delivered, odd.retry) == (status, delivered, retry)
    assert f"0x{status:04X}" in odd.detail
    assert fine.delivered


def test_a_class_that_the_peer_does_not_take_is_named_and_holds_nobody_up(save_dicom: Save) -> None:
    paths = [save_dicom("2.25.1", SOPClassUID=EncapsulatedPDFStorage), save_dicom("2.25.2")]
    with pacs() as peer_:
        pdf, capture = deliver(paths, peer_.destination, "MSNODE")
    assert (pdf.delivered, pdf.retry, pdf.status) == (False, False, 0x0122)
    assert "Encapsulated PDF Storage" in pdf.detail
    assert capture.delivered


def test_a_peer_that_takes_none_of_the_classes_is_not_asked_again(save_dicom: Save) -> None:
    with pacs(accepted=EncapsulatedPDFStorage) as peer_:
        (receipt,) = deliver([save_dicom("2.25.1")], peer_.destination, "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, False)
    assert "Secondary Capture" in receipt.detail


def test_an_object_is_encoded_as_the_peer_likes_it(save_dicom: Save) -> None:
    got: list[pydicom.Dataset] = []

    def keep(event: Event) -> int:
        got.append(event.dataset)
        return 0x0000

    with pacs(syntaxes=[ImplicitVRLittleEndian]) as peer_:
        peer_.answer = keep
        (receipt,) = deliver([save_dicom("2.25.1")], peer_.destination, "MSNODE")
    assert receipt.delivered
    sent = pydicom.dcmread(save_dicom("2.25.1"))
    assert [element.value for element in got[0]] == [element.value for element in sent]


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless", "JPEGLSLossless"])
def test_a_peer_without_the_codec_gets_the_same_pixels_uncompressed(
    tmp_path: Path, syntax: str
) -> None:
    made, got = reports.synthetic(tmp_path, 3), []
    plain = report.write(made, Describe(), "minimal", tmp_path / "plain")[1]
    form = Form(transfer_syntax=syntax)  # type: ignore[arg-type]
    (montage,) = report.write(made, Describe(), "minimal", tmp_path / syntax, form)[1:]

    def keep(event: Event) -> int:
        got.append(event.encoded_dataset(include_meta=False))
        return 0x0000

    for syntaxes in (SYNTAXES, [UID(split_dataset(montage)[0].TransferSyntaxUID), *SYNTAXES]):
        with pacs(syntaxes=syntaxes) as peer_:
            peer_.answer = keep
            (receipt,) = deliver([montage], peer_.destination, "MSNODE")
            assert receipt.delivered
            assert ("uncompressed" in receipt.detail) == (syntaxes == SYNTAXES)
    assert got == [encoded(plain), encoded(montage)]


def test_a_form_that_the_peer_does_not_take_is_refused_with_the_fix(tmp_path: Path) -> None:
    made, form = reports.synthetic(tmp_path, 3), Form("comprehensive-3d", "multi-frame")
    paths = report.write(made, Describe(), "standard", tmp_path / "out", form)
    with pacs() as peer_:
        destination = replace(peer_.destination, form=form)
        sr, montage, readable, overlay = deliver(paths, destination, "MSNODE")
    assert [one.delivered for one in (sr, montage, readable, overlay)] == [
        False,
        True,
        False,
        False,
    ]
    assert sr.detail.endswith("set form.sr of pacs to comprehensive")
    assert overlay.detail.endswith("set form.overlay of pacs to single-frame")
    assert "form" not in readable.detail


def test_a_rejection_says_why_and_is_tried_again(save_dicom: Save) -> None:
    with pacs() as peer_:
        wrong = replace(peer_.destination, ae_title="OTHER")
        (receipt,) = deliver([save_dicom("2.25.1")], wrong, "MSNODE")
    assert (receipt.delivered, receipt.retry, receipt.status) == (False, True, None)
    assert "Called AE title not recognised" in receipt.detail


def test_a_peer_that_is_not_there_is_tried_again(save_dicom: Save) -> None:
    gone = parse_peer(f"PACS@localhost:{peers.free_port()}")
    for receipt in deliver([save_dicom("2.25.1"), save_dicom("2.25.2")], gone, "MSNODE"):
        assert (receipt.delivered, receipt.retry) == (False, True)
        assert "Connection refused" in receipt.detail


def test_outcomes_are_counted_by_destination(save_dicom: Save) -> None:
    def counted(outcome: str) -> float:
        labels = {"destination": "counted", "outcome": outcome}
        return REGISTRY.get_sample_value("msnode_deliveries_total", labels) or 0.0

    answers = {"2.25.1": 0x0000, "2.25.2": 0xA700, "2.25.3": 0xA900}
    with pacs() as peer_:
        peer_.answer = lambda event: answers[uid_of(event)]
        named = replace(peer_.destination, name="counted")
        deliver([save_dicom(uid) for uid in answers], named, "MSNODE")
    assert [counted(outcome) for outcome in ("delivered", "retried", "dead")] == [1, 1, 1]


def test_an_unknown_host_is_tried_again(save_dicom: Save) -> None:
    (receipt,) = deliver([save_dicom("2.25.1")], parse_peer("PACS@no.such.invalid:104"), "MSNODE")
    assert receipt.retry
    assert "cannot be reached" in receipt.detail


def test_an_object_that_breaks_the_association_takes_no_other_along(save_dicom: Save) -> None:
    paths = [save_dicom(f"2.25.{number}") for number in range(1, 5)]

    def abort_at_second(event: Event) -> int:
        if uid_of(event) == "2.25.2":
            event.assoc.abort()
        return 0x0000

    with pacs() as peer_:
        peer_.answer = abort_at_second
        receipts = deliver(paths, peer_.destination, "MSNODE")
    assert [receipt.delivered for receipt in receipts] == [True, False, True, True]
    assert receipts[1].retry
    assert peer_.associations == 2


def test_a_peer_that_always_aborts_is_left_alone_soon(save_dicom: Save) -> None:
    paths = [save_dicom(f"2.25.{number}") for number in range(1, 8)]

    def abort(event: Event) -> int:
        event.assoc.abort()
        return 0x0000

    with pacs() as peer_:
        peer_.answer = abort
        receipts = deliver(paths, peer_.destination, "MSNODE")
    assert all(receipt.retry for receipt in receipts)
    assert peer_.associations == 3


def test_a_silent_port_does_not_hold_the_delivery(
    save_dicom: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "ACSE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        quiet = parse_peer(f"PACS@127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        (receipt,) = deliver([save_dicom("2.25.1")], quiet, "MSNODE")
    assert time.monotonic() - start < 5
    assert receipt.retry
    assert "neither accepted nor rejected" in receipt.detail


def test_a_peer_that_stops_reading_does_not_hold_the_delivery(
    save_dicom: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "STALL_S", 1.0)
    monkeypatch.setattr(peer, "DIMSE_S", 1.0)
    monkeypatch.setattr(peer, "ACSE_S", 1.0)
    large = save_dicom("2.25.2", Rows=8192, Columns=8192, PixelData=bytes(8192 * 8192))
    with peers.storescp(tmp_path) as scp:
        start = time.monotonic()
        fine, stuck = send(
            [save_dicom("2.25.1"), large],
            parse_peer(f"STORESCP@localhost:{scp.port}"),
            "MSNODE",
            lambda receipt: scp.process.send_signal(signal.SIGSTOP),
        )
        seconds = time.monotonic() - start
        scp.process.send_signal(signal.SIGCONT)
    assert fine.delivered
    assert (stuck.delivered, stuck.retry) == (False, True)
    assert seconds < 10


def test_echo_measures_the_answer() -> None:
    with pacs(accepted=Verification) as peer_:
        assert 0 < echo(peer_.destination, "MSNODE") < 5


def test_echo_says_what_is_wrong() -> None:
    with pacs() as peer_, pytest.raises(TryLater, match="does not accept the Verification"):
        echo(peer_.destination, "MSNODE")
    with pytest.raises(TryLater, match="Connection refused"):
        echo(parse_peer(f"PACS@127.0.0.1:{peers.free_port()}"), "MSNODE")


def test_progress_hears_of_every_file_in_their_order(save_dicom: Save, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    heard: list[Receipt] = []
    with pacs() as peer_:
        paths = [save_dicom("2.25.1"), text, save_dicom("2.25.2")]
        receipts = send(paths, peer_.destination, "MSNODE", heard.append)
    assert [receipt.delivered for receipt in receipts] == [True, False, True]
    assert sorted(heard, key=str) == sorted(receipts, key=str)


def test_a_file_arrives_byte_by_byte(save_dicom: Save, tmp_path: Path) -> None:
    path = save_dicom("2.25.1")
    with peers.storescp(tmp_path, "+B") as scp:
        (receipt,) = send([path], parse_peer(f"STORESCP@localhost:{scp.port}"), "MSNODE")
        (arrived,) = scp.files
        assert encoded(arrived) == encoded(path)
    assert receipt.delivered


def encoded(path: Path) -> bytes:
    """A file's dataset without its File Meta Information."""
    return path.read_bytes()[split_dataset(path)[1] :]

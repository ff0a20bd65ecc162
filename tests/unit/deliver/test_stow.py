"""STOW-RS as destination: what is sent, and what a server's answers mean."""

import email
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from msnode.config import Basic, StowServer
from msnode.deliver.deliveries import deliver
from msnode.deliver.stow import shown, try_out
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from tests.http_receiver import Answer, Receiver, saying, serving, status
from tests.integration.stowing import part10
from tests.unit.receive.datasets import mr

JSON = "application/dicom+json"
UID_TAG, REASON = "00081155", "00081197"


def to(receiver: Receiver, **settings: Any) -> StowServer:
    """The receiver as destination."""
    return StowServer("pacs", stow=f"{receiver.url}/rs/", timeout_s=5.0, **settings)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pixels = {"Rows": 4, "Columns": 4, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    kind = {"PixelRepresentation": 0, "SamplesPerPixel": 1, "PixelData": bytes(range(32))}
    dataset = mr(**pixels, **kind, PhotometricInterpretation="MONOCHROME2")
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(dataset))
    return path


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def item(uid: str, reason: int | None = None, tag: str = REASON) -> dict[str, Any]:
    """An item of a Store Instances Response."""
    found: dict[str, Any] = {UID_TAG: {"vr": "UI", "Value": [uid]}}
    return found | ({tag: {"vr": "US", "Value": [reason]}} if reason is not None else {})


def sequence(tag: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {tag: {"vr": "SQ", "Value": list(items)}}


def sent(path: Path, answer: Answer, **settings: Any) -> tuple[Receipt, Receiver]:
    """The receipt of one attempt, and what the server got."""
    with serving(answer) as receiver:
        (receipt,) = deliver([path], to(receiver, **settings), "MSNODE")
    return receipt, receiver


def parts(headers: dict[str, str], body: bytes) -> list[bytes]:
    """The parts of a multipart body, by a reader of its own."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    found: Any = message.get_payload()
    assert {part.get_content_type() for part in found} == {"application/dicom"}
    return [part.get_payload(decode=True) for part in found]


def test_the_file_arrives_as_it_lies_on_disk(image: Path) -> None:
    stored = saying(200, sequence("00081199", item(uid_of(image))), JSON)
    receipt, receiver = sent(image, stored)
    assert (receipt.delivered, receipt.status, receipt.detail) == (True, 0, "")
    ((path, headers, body),) = receiver.requests
    assert path == "/rs/studies"
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Accept"] == JSON
    boundary = str(headers["Content-Type"]).rpartition("boundary=")[2].encode()
    assert image.read_bytes() in body.split(boundary)[1]


@pytest.mark.parametrize(
    ("code", "reason", "delivered", "retry"),
    [
        (409, 0xA700, False, True),  # out of resources
        (409, 0xA900, False, False),  # does not match its SOP Class
        (409, 0x0122, False, False),
        (409, 0x0111, True, False),  # it is there already
        (409, 45070, True, False),  # 0xB00E, by which some servers say so
        (202, 0xC000, False, False),
        (200, 0xC000, False, False),  # whatever the status says
        (400, 0x0110, False, True),
    ],
)
def test_a_failure_is_what_its_reason_is_by_c_store(
    image: Path, code: int, reason: int, delivered: bool, retry: bool
) -> None:
    receipt, _ = sent(image, saying(code, sequence("00081198", item(uid_of(image), reason)), JSON))
    assert (receipt.delivered, receipt.retry, receipt.status) == (delivered, retry, reason)
    assert f"0x{reason:04X}" in receipt.detail


@pytest.mark.parametrize("code", [400, 404, 405, 410, 413, 415])
def test_what_was_refused_is_refused_for_good(image: Path, code: int) -> None:
    receipt, _ = sent(image, status(code))
    assert (receipt.delivered, receipt.retry) == (False, False)
    assert receipt.status is not None  # so that it is in the audit trail
    assert receipt.detail.startswith(f"HTTP {code}")


@pytest.mark.parametrize("code", [301, 307, 408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(image: Path, code: int) -> None:
    receipt, _ = sent(image, status(code))
    assert (receipt.delivered, receipt.retry) == (False, True)


@pytest.mark.parametrize("code", [401, 403])
def test_an_account_that_somebody_may_mend_is_tried_again(image: Path, code: int) -> None:
    receipt, receiver = sent(image, status(code), auth=Basic("msnode", "secret"))
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert receiver.requests[0][1]["Authorization"] == "Basic bXNub2RlOnNlY3JldA=="


def test_a_success_that_names_another_object_is_none(image: Path) -> None:
    receipt, _ = sent(image, saying(200, sequence("00081199", item("2.25.7")), JSON))
    assert (receipt.delivered, receipt.retry) == (False, True)


def test_accepted_without_saying_what_is_no_success(image: Path) -> None:
    receipt, _ = sent(image, status(202))
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert "does not name the object" in receipt.detail


@pytest.mark.parametrize(
    ("answer", "delivered"),
    [
        (status(200), True),
        (saying(200, {}, "application/json"), True),
        (saying(200, "<NativeDicomModel/>", "application/dicom+xml"), True),
        (saying(200, "<html>Jane Doe", "text/html"), False),
        (saying(200, "Jane Doe", "text/plain"), False),
        (saying(200, [1], JSON), False),
    ],
)
def test_a_page_of_a_proxy_is_no_success(image: Path, answer: Answer, delivered: bool) -> None:
    receipt, _ = sent(image, answer)
    assert (receipt.delivered, receipt.retry) == (delivered, not delivered)
    assert "Jane" not in receipt.detail


@pytest.mark.parametrize("reason", [0, 0xB000, 0x0111])
def test_a_failure_that_calls_itself_a_success_is_none(image: Path, reason: int) -> None:
    """Nor is a duplicate of another object."""
    uid = "2.25.9" if reason == 0x0111 else uid_of(image)
    receipt, _ = sent(image, saying(409, sequence("00081198", item(uid, reason)), JSON))
    assert (receipt.delivered, receipt.retry) == (False, True)


@pytest.mark.parametrize(
    "broken",
    [
        {"00081197": {"vr": "LO", "Value": ["A700"]}},
        {"00081197": {"vr": "US", "Value": [1, 2]}},
    ],
)
def test_a_failure_that_cannot_be_understood_is_one(image: Path, broken: dict[str, Any]) -> None:
    receipt, _ = sent(image, saying(200, sequence("00081198", broken), JSON))
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert "the file" not in receipt.detail


def test_an_answer_that_breaks_off_is_none(image: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        status(200, **{"Content-Type": JSON, "Content-Length": "500"})(handler)
        handler.wfile.write(b'{"00081199"')

    receipt, _ = sent(image, answer)
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert "ends before its Content-Length" in receipt.detail


def test_a_refusal_before_the_body_was_read_is_heard(image: Path) -> None:
    large = pydicom.dcmread(image)
    large.PixelData = bytes(8 * 1024**2)
    large.save_as(image)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            sock, _ = server.accept()
            with sock:
                sock.recv(1000)
                sock.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
                sock.shutdown(socket.SHUT_WR)
                time.sleep(0.3)

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        (receipt,) = deliver([image], StowServer("pacs", stow=url, timeout_s=5.0), "MSNODE")
        thread.join()
    assert (receipt.delivered, receipt.retry) == (False, False), receipt.detail
    assert receipt.detail.startswith("HTTP 413")


def test_a_server_may_think_as_long_as_a_large_object_allows(image: Path) -> None:
    large = pydicom.dcmread(image)
    large.PixelData = bytes(30_000)
    large.save_as(image)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.8)
        status(200)(handler)

    with serving(answer) as receiver:
        hasty = StowServer("pacs", stow=receiver.url, timeout_s=0.3)
        (receipt,) = deliver([image], hasty, "MSNODE")
    assert receipt.delivered, receipt.detail


def test_a_warning_is_told(image: Path) -> None:
    warned = sequence("00081199", item(uid_of(image), 0xB000, "00081196"))
    receipt, _ = sent(image, saying(202, warned, JSON))
    assert receipt.delivered
    assert "0xB000" in receipt.detail


def test_a_compressed_image_that_is_not_taken_comes_uncompressed(image: Path) -> None:
    dataset = pydicom.dcmread(image)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(image)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        uid = uid_of(image)
        first = len(receiver.requests) == 1
        said = sequence("00081198", item(uid, 0x0122)) if first else sequence("00081199", item(uid))
        saying(409 if first else 200, said, JSON)(handler)

    with serving(answer) as receiver:
        (receipt,) = deliver([image], to(receiver), "MSNODE")
    assert receipt.delivered
    _, second = receiver.requests
    (part,) = parts(second[1], second[2])
    got = pydicom.dcmread(BytesIO(part))
    assert got.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert got.SOPInstanceUID == dataset.SOPInstanceUID
    assert (got.pixel_array == pydicom.dcmread(image).pixel_array).all()


def test_what_is_no_dicom_file_is_refused_and_the_rest_goes_on(image: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.dcm"
    other.write_bytes(b"no")
    with serving(status(200)) as receiver:
        bad, good = deliver([other, image], to(receiver), "MSNODE")
    assert (bad.delivered, bad.retry, good.delivered) == (False, False, True)


def test_nobody_there_is_tried_again(image: Path) -> None:
    with serving(status(200)) as receiver:
        gone = to(receiver)
    (receipt,) = deliver([image], gone, "MSNODE")
    assert (receipt.delivered, receipt.retry, receipt.status) == (False, True, None)


def test_a_search_shows_what_is_there(image: Path) -> None:
    header = pydicom.dcmread(image, stop_before_pixels=True)
    match = {"00080018": {"vr": "UI", "Value": [header.SOPInstanceUID]}}
    other = {"00080018": {"vr": "UI", "Value": ["2.25.8"]}}
    with serving(saying(200, [other, match], JSON)) as receiver:
        assert shown([image], to(receiver)) == {header.SOPInstanceUID}
        receiver.answer = saying(200, [other], JSON)
        assert shown([image], to(receiver)) == frozenset()
        receiver.answer = status(204)
        assert shown([image], to(receiver)) == frozenset()
    path = f"/rs/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}/instances"
    assert {asked for asked, _, _ in receiver.requests} == {path}


@pytest.mark.parametrize("answer", [saying(200, {"a": 1}), saying(200, [7]), saying(200, "x")])
def test_a_search_that_answers_nonsense_says_nothing(image: Path, answer: Answer) -> None:
    with serving(answer) as receiver, pytest.raises(TryLater, match="no DICOM JSON"):
        shown([image], to(receiver))


def expected(call: Callable[[], object]) -> str:
    """The error of a call."""
    with pytest.raises((TryLater, Refused)) as caught:
        call()
    return f"{type(caught.value).__name__}: {caught.value}"


def test_the_check_tells_a_server_that_does_not_let_us_in(image: Path) -> None:
    with serving(status(401)) as receiver:
        assert "HTTP 401" in expected(lambda: try_out(to(receiver)))
        receiver.answer = status(404)
        assert "is the base URL right" in expected(lambda: try_out(to(receiver)))
        receiver.answer = saying(200, "a page", "text/html")
        assert "is the base URL right" in expected(lambda: try_out(to(receiver)))
        receiver.answer = status(204)
        try_out(to(receiver))
        receiver.answer = status(501)  # it does not search: only where it has to, that is told
        assert "HTTP 501" in expected(lambda: try_out(to(receiver, verify="qido")))
        receiver.answer = status(400)
        try_out(to(receiver))
        assert "HTTP 400" in expected(lambda: try_out(replace(to(receiver), verify="qido")))

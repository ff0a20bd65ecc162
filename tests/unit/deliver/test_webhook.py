"""A webhook on loopback that answers as a test wants; the document's code verifies."""

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client import REGISTRY

from msnode.config import Webhook
from msnode.deliver.deliveries import deliver, identify
from msnode.deliver.webhook import signature
from msnode.errors import ConfigError, Refused, TryLater
from msnode.requestor.http_request import reach
from tests.http_receiver import Answer, Receiver, serving, status

SECRET = "of nobody's business"
BODY = '{"id": "2.25.7", "accession_number": "Ä 1"}'.encode()
DOCUMENT = Path(__file__).parents[3] / "docs/webhook.md"


def to(receiver: Receiver) -> Webhook:
    """The receiver as destination."""
    return Webhook("ris", url=f"{receiver.url}/hook?site=1", secret=SECRET, timeout_s=5.0)


@pytest.fixture
def signal(tmp_path: Path) -> Path:
    path = tmp_path / "signal.json"
    path.write_bytes(BODY)
    return path


def documented() -> Callable[..., bool]:
    """The receiver's code in the documentation."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    verify: Callable[..., bool] = names["verify"]
    return verify


def dead() -> float:
    return REGISTRY.get_sample_value(
        "msnode_deliveries_total", {"destination": "ris", "outcome": "dead"}
    ) or 0.0  # fmt: skip


def test_the_document_arrives_signed(signal: Path) -> None:
    with serving(status(204)) as receiver:
        (receipt,) = deliver([signal], to(receiver), "MSNODE")
    assert (receipt.delivered, receipt.retry, receipt.detail) == (
        True,
        False,
        "HTTP 204 No Content",
    )
    assert (receipt.destination, receipt.sop_instance_uid) == ("ris", "2.25.7")
    ((path, headers, body),) = receiver.requests
    assert (path, body) == ("/hook?site=1", BODY)
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "2.25.7"
    verify = documented()
    assert verify(body, headers["X-Msnode-Signature"], SECRET)
    assert not verify(body + b" ", headers["X-Msnode-Signature"], SECRET)
    assert not verify(body, headers["X-Msnode-Signature"], "another")


def test_a_replay_is_told_by_its_time() -> None:
    verify, now = documented(), int(time.time())
    old = signature(BODY, SECRET, now - 301)
    assert not verify(BODY, old, SECRET)
    assert not verify(BODY, old.replace(str(now - 301), str(now)), SECRET)
    assert not verify(BODY, "", SECRET)
    assert verify(BODY, signature(BODY, SECRET, now - 200), SECRET)


def test_the_signature_is_the_documented_one() -> None:
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    assert signature(b"{}", "key", 1700000000) == (
        "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )


def test_the_key_is_the_same_in_every_attempt(signal: Path) -> None:
    with serving(status(503)) as receiver:
        deliver([signal], to(receiver), "MSNODE")
        receiver.answer = status(200)
        assert deliver([signal], to(receiver), "MSNODE")[0].delivered
    first, second = (headers["Idempotency-Key"] for _, headers, _ in receiver.requests)
    assert first == second == identify(signal)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 501, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(signal: Path, code: int) -> None:
    with serving(status(code)) as receiver:
        (receipt,) = deliver([signal], to(receiver), "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert receipt.detail.startswith(f"HTTP {code}")


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 410, 413, 422])
def test_what_was_refused_is_not(signal: Path, code: int) -> None:
    before = dead()
    with serving(status(code)) as receiver:
        (receipt,) = deliver([signal], to(receiver), "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, False)
    assert dead() == before + 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_but_tried_again(signal: Path, code: int) -> None:
    with serving(status(200)) as elsewhere, serving(status(code, Location=elsewhere.url)) as first:
        (receipt,) = deliver([signal], to(first), "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert "redirects are not followed" in receipt.detail
    assert elsewhere.requests == []


def endless(handler: BaseHTTPRequestHandler) -> None:
    """200, then more than anybody would read."""
    status(200)(handler)
    while True:
        handler.wfile.write(bytes(65536))


def chatty(handler: BaseHTTPRequestHandler) -> None:
    """Header after header, without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X: " + bytes(100) + b"\r\n")


def slow(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, so that no single read takes long."""
    for _ in range(200):
        handler.wfile.write(b"H")
        time.sleep(0.05)


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"Jane Doe, born 1980\r\n\r\n")


def silent(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def test_an_answer_without_end_is_not_read(signal: Path) -> None:
    with serving(endless) as receiver:
        (receipt,) = deliver([signal], to(receiver), "MSNODE")
    assert receipt.delivered


@pytest.mark.parametrize("answer", [chatty, slow, garbage, silent])
def test_no_answer_is_tried_again(signal: Path, answer: Answer) -> None:
    start = time.monotonic()
    with serving(answer) as receiver:
        hasty = replace(to(receiver), timeout_s=0.4)
        (receipt,) = deliver([signal], hasty, "MSNODE")
        assert time.monotonic() - start < 3
    assert (receipt.delivered, receipt.retry) == (False, True)
    assert receipt.detail.startswith("no answer")
    assert "Jane" not in receipt.detail


def test_nobody_there_is_tried_again(signal: Path) -> None:
    with serving(status(200)) as receiver:
        gone = to(receiver)
    (receipt,) = deliver([signal], gone, "MSNODE")
    assert (receipt.delivered, receipt.retry) == (False, True)
    with pytest.raises(TryLater, match="ris cannot be reached"):
        reach(gone, "ris")


def test_what_is_no_signal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signal.json"
    for content in (b"", b"[]", b'"x"', b"\xff", b"{}"):
        path.write_bytes(content)
        with pytest.raises(Refused, match="is no signal"):
            identify(path)
        (receipt,) = deliver([path], Webhook("ris", url="http://localhost:1"), "MSNODE")
        assert (receipt.delivered, receipt.retry) == (False, False)


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> trustme.CA:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        return authority

    @pytest.fixture
    def secure(self, authority: trustme.CA) -> Iterator[Receiver]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        with serving(status(200), context) as receiver:
            yield receiver

    def test_a_site_may_have_its_own_authority(
        self, secure: Receiver, signal: Path, tmp_path: Path
    ) -> None:
        ours = replace(to(secure), ca=tmp_path / "ca.pem")
        assert deliver([signal], ours, "MSNODE")[0].delivered
        reach(ours, "ris")
        assert json.loads(secure.requests[0][2])["id"] == "2.25.7"

    def test_a_certificate_of_anybody_gets_nothing(self, secure: Receiver, signal: Path) -> None:
        (receipt,) = deliver([signal], to(secure), "MSNODE")
        assert (receipt.delivered, receipt.retry) == (False, True)
        assert "CERTIFICATE_VERIFY_FAILED" in receipt.detail
        assert secure.requests == []

    def test_the_name_must_be_the_certificates(
        self, secure: Receiver, signal: Path, tmp_path: Path
    ) -> None:
        address = secure.url.replace("localhost", "127.0.0.1")
        other = replace(to(secure), url=address, ca=tmp_path / "ca.pem")
        assert "CERTIFICATE_VERIFY_FAILED" in deliver([signal], other, "MSNODE")[0].detail

    def test_an_authority_that_is_none_is_a_configuration_error(
        self, secure: Receiver, signal: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=r"ca: .*none\.pem"):
            deliver([signal], replace(to(secure), ca=tmp_path / "none.pem"), "MSNODE")

"""STOW-RS in: what is stored, what is refused, and with which answer (PS3.18 10.5)."""

import hashlib
import socket
import ssl
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
import trustme
from pydicom.uid import MPEG2MPML, CTImageStorage

from msnode import config
from msnode.store.database import instances
from tests.integration.listening import Receiver, send, statuses, write
from tests.integration.stowing import BOUNDARY, Start, multipart, part10, port_of, post, store
from tests.integration.test_deliver_tls import issue
from tests.unit.receive.datasets import STUDY, kept, mr

TOKEN = "0123456789abcdef0123"


@pytest.fixture
def receiver(start_stow: Start) -> Receiver:
    return start_stow()


def test_what_is_answered_200_is_kept_as_by_c_store(receiver: Receiver, tmp_path: Path) -> None:
    images = [mr() for _ in range(3)]
    answer = store(port_of(receiver), images)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/dicom+json"
    assert sorted(answer.stored()) == sorted(image.SOPInstanceUID for image in images)
    assert {row[0] for row in receiver.rows()} == {image.SOPInstanceUID for image in images}
    with receiver.engine.connect() as connection:
        assert set(connection.scalars(sa.select(instances.c.calling_ae_title))) == {"STOW-RS"}
    file = pydicom.dcmread(next(iter(kept(receiver.folder))))
    assert file.file_meta.SourceApplicationEntityTitle == "STOW-RS"
    again = send(receiver, write(tmp_path / "again.dcm", images[0]))
    assert statuses(again) == ["Success"]
    assert len(receiver.rows()) == 3, "the same image by C-STORE is another one"


def test_a_retry_makes_no_double(receiver: Receiver) -> None:
    image = mr()
    assert [store(port_of(receiver), [image]).status for _ in range(2)] == [200, 200]
    assert len(receiver.rows()) == 1


def test_a_body_of_unknown_length_is_taken(receiver: Receiver) -> None:
    body = multipart([part10(mr(Rows=256, Columns=256, PixelData=bytes(131072)))])
    pieces = (body[i : i + 1000] for i in range(0, len(body), 1000))
    assert post(port_of(receiver), pieces).status == 200


def test_a_single_instance_needs_no_multipart(receiver: Receiver) -> None:
    answer = post(port_of(receiver), part10(mr()), Content_Type="application/dicom")
    assert answer.status == 200
    assert len(receiver.rows()) == 1


def test_a_connection_serves_one_request_after_the_other(receiver: Receiver) -> None:
    port = port_of(receiver)
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for _ in range(3):
            body = multipart([part10(mr())])
            assert post(port, body, connection=connection).status == 200
    assert len(receiver.rows()) == 3


def test_each_failed_instance_is_named_with_its_reason(receiver: Receiver) -> None:
    good, other, coded, liar = mr(), mr(SOPClassUID=CTImageStorage), mr(), mr()
    encoded = part10(liar).replace(
        liar.SOPInstanceUID.encode(), b"1.2.3".ljust(len(liar.SOPInstanceUID), b"\0"), 1
    )  # in the File Meta Information alone
    parts = [part10(good), part10(other), _with_syntax(part10(coded)), encoded, b"no DICOM"]
    answer = post(port_of(receiver), multipart(parts))
    assert answer.status == 202
    assert answer.stored() == [good.SOPInstanceUID]
    assert answer.reasons() == {
        other.SOPInstanceUID: 0x0122,
        coded.SOPInstanceUID: 0xC122,
        "1.2.3": 0xA900,
        "": 0xC000,
    }
    assert len(receiver.rows()) == 1


def _with_syntax(encoded: bytes) -> bytes:
    """A Part 10 file that says it is a video."""
    known, video = b"1.2.840.10008.1.2.1\0", MPEG2MPML.encode()
    longer = len(video) + len(video) % 2 - len(known)
    head, rest = encoded.split(known, 1)
    length = int.from_bytes(head[140:144], "little") + longer
    head = head[:140] + length.to_bytes(4, "little") + head[144:]
    size = (len(known) + longer).to_bytes(2, "little")
    return head[:-2] + size + video.ljust(len(known) + longer, b"\0") + rest


def test_an_instance_of_another_study_than_the_urls_fails(receiver: Receiver) -> None:
    mine, other = mr(), mr(StudyInstanceUID="1.2.3.4")
    body = multipart([part10(mine), part10(other)])
    answer = post(port_of(receiver), body, f"/studies/{STUDY}")
    assert (answer.status, answer.stored()) == (202, [mine.SOPInstanceUID])
    assert answer.reasons() == {other.SOPInstanceUID: 0xA900}


def test_where_all_fail_it_is_409(receiver: Receiver) -> None:
    answer = store(port_of(receiver), [mr(SOPClassUID=CTImageStorage)])
    assert answer.status == 409
    assert kept(receiver.folder) == []


def test_the_limits_are_those_of_c_store(start_stow: Start) -> None:
    small = start_stow(max_instance_bytes=600)
    assert store(port_of(small), [mr(PixelData=bytes(1000))]).status == 413
    few = start_stow(max_study_instances=1)
    assert store(port_of(few), [mr()]).status == 200
    assert store(port_of(few), [mr()]).reasons().popitem()[1] == 0xA700
    full = start_stow(min_free_bytes=1 << 60)
    answer = store(port_of(full), [mr()])
    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    strict = start_stow(conflicts="refuse")
    image = mr()
    store(port_of(strict), [image])
    image.PixelData = bytes([1] * 128)
    assert store(port_of(strict), [image]).reasons() == {image.SOPInstanceUID: 0xC002}


def test_without_the_database_it_is_503_and_comes_again(receiver: Receiver) -> None:
    with receiver.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE studies RENAME TO away"))
    answer = store(port_of(receiver), [mr()])
    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    with receiver.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO studies"))
    assert store(port_of(receiver), [mr()]).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": 'multipart/related; type="application/dicom+json"; boundary=x'}, 415),
        ({"Content_Type": "application/json"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Content_Type": 'multipart/related; type="application/dicom"'}, 400),
        ({"Accept": "application/dicom+xml"}, 406),
        ({"Accept": "application/dicom+json;q=0, text/html"}, 406),
    ],
)
def test_what_is_not_taken_is_refused_as_a_whole(
    receiver: Receiver, headers: dict[str, Any], status: int
) -> None:
    answer = post(port_of(receiver), multipart([part10(mr())]), **headers)
    assert answer.status == status
    assert answer.body["detail"]
    assert kept(receiver.folder) == []


def test_other_places_and_methods_are_none(receiver: Receiver) -> None:
    assert post(port_of(receiver), b"", "/patients").status == 404
    with closing(HTTPConnection("127.0.0.1", port_of(receiver), timeout=10)) as connection:
        connection.request("GET", "/studies")
        response = connection.getresponse()
        assert (response.status, response.getheader("Allow")) == (405, "POST")


@pytest.mark.parametrize(
    "body",
    [b"", b"nothing", f"--{BOUNDARY}--".encode(), multipart([b"x"])[:-2], b"--other\r\n\r\n"],
)
def test_a_malformed_body_is_400(receiver: Receiver, body: bytes) -> None:
    assert post(port_of(receiver), body).status == 400


def test_callers_are_known_by_token_and_address(start_stow: Start) -> None:
    hashed = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()
    callers = (
        config.WebCaller("CLOUD", token=hashed),
        config.WebCaller("FAR", token="f" * 20, address="10.0.0.0/8"),
    )
    receiver = start_stow(dicomweb=config.Dicomweb(port=0, callers=callers))
    port = port_of(receiver)
    nobody = store(port, [mr()])
    assert (nobody.status, nobody.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert store(port, [mr()], Authorization="Bearer wrong").status == 401
    assert store(port, [mr()], Authorization="Bearer " + "f" * 20).status == 403
    assert kept(receiver.folder) == []
    assert store(port, [mr()], Authorization=f"Bearer {TOKEN}").status == 200
    with receiver.engine.connect() as connection:
        assert set(connection.scalars(sa.select(instances.c.calling_ae_title))) == {"CLOUD"}
    receiver.trail.close()
    trail = "\n".join(receiver.audited())
    assert 'UserID="CLOUD"' in trail
    assert "Node Authentication" in trail, "a wrong token raises no alert"


def test_callers_are_known_by_their_certificate(start_stow: Start, tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path / "tls", "localhost")
    stranger = issue(trustme.CA(), tmp_path / "stranger", "localhost")
    web = config.Dicomweb(
        port=0, tls=files, callers=(config.WebCaller("PEER", subject="localhost"),)
    )
    receiver = start_stow(dicomweb=web)
    context = ssl.create_default_context(cafile=files.ca)
    assert _by_tls(port_of(receiver), context) is None, "let in without a certificate"
    context.load_cert_chain(files.certificate, files.key)
    assert _by_tls(port_of(receiver), context) == 200
    foreign = ssl.create_default_context(cafile=files.ca)
    foreign.load_cert_chain(stranger.certificate, stranger.key)
    assert _by_tls(port_of(receiver), foreign) is None, "let in with another authority's"


def _by_tls(port: int, context: ssl.SSLContext) -> int | None:
    connection = HTTPSConnection("localhost", port, timeout=10, context=context)
    with closing(connection):
        try:
            return post(port, multipart([part10(mr())]), connection=connection).status
        except OSError:
            return None


def test_head_is_answered_without_a_body(receiver: Receiver) -> None:
    with closing(HTTPConnection("127.0.0.1", port_of(receiver), timeout=10)) as connection:
        connection.request("HEAD", "/studies")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (405, b"")


@pytest.mark.parametrize(
    "headers",
    ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Content-Type: a/b\r\nContent-Type: c/d"],
)
def test_what_a_proxy_could_read_otherwise_is_refused(receiver: Receiver, headers: str) -> None:
    """RFC 9112 6.1: else a second request could hide in the first one."""
    with closing(socket.create_connection(("127.0.0.1", port_of(receiver)), 10)) as client:
        client.sendall(
            f"POST /studies HTTP/1.1\r\nHost: node\r\n{headers}\r\n\r\n0\r\n\r\n".encode()
        )
        client.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in said
    assert said.count(b"HTTP/1.1") == 1


def test_a_connection_that_waits_for_its_next_request_is_no_slow_client(
    start_stow: Start, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = start_stow(network_timeout_s=0.5)
    with closing(HTTPConnection("127.0.0.1", port_of(receiver), timeout=10)) as connection:
        assert (
            post(port_of(receiver), multipart([part10(mr())]), connection=connection).status == 200
        )
        assert connection.sock is not None
        assert connection.sock.recv(1) == b"", "it is closed"
    assert "refused" not in caplog.text

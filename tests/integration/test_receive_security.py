"""Who does not belong stays out, and who belongs stays within bounds."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
import trustme
from prometheus_client import REGISTRY
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from msnode import config
from msnode.tls import client_context
from tests.acceptance.peers import dcmtk, wait
from tests.integration.listening import Receiver, associated, send, statuses, write
from tests.integration.test_deliver_tls import issue
from tests.integration.test_receive import mr_file
from tests.unit.receive.datasets import mr

Listen = Callable[..., Receiver]


def refused(rule: str) -> float:
    """How often a rule has kept something out."""
    return REGISTRY.get_sample_value("msnode_refusals_total", {"rule": rule}) or 0.0


@contextmanager
def counted(rule: str) -> Iterator[None]:
    """Within this block a rule keeps something out."""
    before = refused(rule)
    yield
    wait(lambda: refused(rule) > before, 5, f"{rule} to be counted")


def alerts(receiver: Receiver) -> list[str]:
    """The security alerts on record."""
    return [message for message in receiver.audited() if '"Security Alert"' in message]


# --- callers ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secure(tls: config.Tls) -> list[object]:
    """How dcmtk's clients speak TLS."""
    return ["+tls", tls.key, tls.certificate, "+cf", tls.ca]


def test_a_caller_is_tied_to_its_certificate(
    listen: Listen, tmp_path: Path, authority: trustme.CA
) -> None:
    mri = issue(authority, tmp_path / "mri", "mri.example.org")
    other = issue(authority, tmp_path / "other", "ct.example.org")
    receiver = listen(
        tls=issue(authority, tmp_path / "node", "localhost"),
        callers=(config.Caller("MRI1", subject="MRI.example.org"), config.Caller("ANY")),
    )
    call = "echoscu", "-v", "-aec", "MSNODE", *receiver.peer
    assert dcmtk(*call, "-aet", "MRI1", *secure(mri)).returncode == 0
    assert dcmtk(*call, "-aet", "ANY", *secure(other)).returncode == 0
    with counted("certificate"):
        answer = dcmtk(*call, "-aet", "MRI1", *secure(other))
    assert "Calling AE Title Not Recognized" in answer.stdout
    stranger = issue(trustme.CA(), tmp_path / "stranger", "mri.example.org")
    with counted("tls"):
        files = replace(stranger, ca=mri.ca)
        assert dcmtk(*call, "-aet", "MRI1", *secure(files)).returncode != 0
    with counted("tls"):
        assert dcmtk(*call, "-aet", "MRI1").returncode != 0
    wait(lambda: len(alerts(receiver)) == 2, 5, "two alerts")
    assert 'UserID="MRI1"' in alerts(receiver)[0]


def test_a_caller_without_the_right_to_store_stores_nothing(listen: Listen, tmp_path: Path) -> None:
    receiver = listen(callers=(config.Caller("MRI1", rights=("echo",)),))
    assert dcmtk("echoscu", "-aet", "MRI1", "-aec", "MSNODE", *receiver.peer).returncode == 0
    with counted("rights"):
        output = send(receiver, write(tmp_path / "1.dcm", mr()))
    assert statuses(output) == []
    assert "No Acceptable Presentation Contexts" in output
    wait(lambda: len(alerts(receiver)) == 1, 5, "an alert")
    assert "Use of Restricted Function" in alerts(receiver)[0]


def test_nothing_is_stored_as_a_verification(listen: Listen, tmp_path: Path) -> None:
    """A C-STORE on the only context that a caller with the right to echo gets."""
    receiver = listen(callers=(config.Caller("PYTHON", rights=("echo",)),))
    client = AE("PYTHON")
    client.add_requested_context("1.2.840.10008.1.1", ExplicitVRLittleEndian)
    association = client.associate("127.0.0.1", receiver.listener.port, ae_title="MSNODE")
    assert association.is_established
    image = mr_file()
    image.SOPClassUID = "1.2.840.10008.1.1"
    assert association.send_c_store(image).Status == 0x0122
    association.release()
    assert receiver.rows() == []


def test_a_caller_without_the_right_to_echo(listen: Listen, tmp_path: Path) -> None:
    receiver = listen(callers=(config.Caller("MRI1", rights=("store",)),))
    call = "echoscu", "-aet", "MRI1", "-aec", "MSNODE"
    assert dcmtk(*call, *receiver.peer).returncode != 0
    assert statuses(send(receiver, write(tmp_path / "1.dcm", mr()))) == ["Success"]


def test_a_caller_has_its_own_number_of_associations(listen: Listen) -> None:
    receiver = listen(
        callers=(config.Caller("PYTHON", max_associations=1), config.Caller("ECHOSCU"))
    )
    with associated(receiver), counted("caller_max_associations"):
        client = AE("PYTHON")
        client.add_requested_context(MRImageStorage)
        second = client.associate("127.0.0.1", receiver.listener.port, ae_title="MSNODE")
        assert second.is_rejected
        assert dcmtk("echoscu", "-aec", "MSNODE", *receiver.peer).returncode == 0
    with associated(receiver):
        pass  # its place is free again


# --- limits ---


def test_a_study_has_a_number_of_instances(
    listen: Listen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = listen(max_study_instances=3)
    paths = [write(tmp_path / f"{n}.dcm", mr(SOPInstanceUID=f"1.2.{n}")) for n in range(1, 6)]
    with caplog.at_level(logging.WARNING), counted("max_study_instances"):
        answers = statuses(send(receiver, *paths, paths[0]))
    assert [answer.split(":")[-1] for answer in answers] == [
        *["Success"] * 3,
        *[" OutOfResources"] * 2,
        "Success",
    ], answers
    assert len(receiver.rows()) == 3
    assert "4711" not in caplog.text
    other = mr(StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1")
    assert statuses(send(receiver, write(tmp_path / "9.dcm", other))) == ["Success"]


def drip(port: int, data: bytes, stop: threading.Event) -> float:
    """Send a byte every tenth of a second; returns seconds until the node has enough of it."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as peer, suppress(OSError):
        for byte in data:
            peer.sendall(bytes([byte]))
            peer.settimeout(0.1)
            try:
                if peer.recv(100) == b"":
                    break
            except TimeoutError:
                if stop.is_set():
                    break
    return time.monotonic() - start


@pytest.mark.parametrize("kind", ["request", "handshake"])
def test_a_request_or_handshake_byte_by_byte_ends(
    listen: Listen,
    tmp_path: Path,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr("msnode.receive.dicom.upper_layer.ARTIM_S", 1.0)
    monkeypatch.setattr("msnode.receive.dicom.upper_layer.LINGER_S", 0.1)
    tls = issue(authority, tmp_path, "localhost")
    receiver = listen(tls=tls) if kind == "handshake" else listen()
    hello = client_hello() if kind == "handshake" else b"\1\0\0\0\1\0" + bytes(256)
    assert drip(receiver.listener.port, hello, threading.Event()) < 5


def client_hello() -> bytes:
    """The first bytes of a TLS client."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"network_timeout_s": 1.0}, "network_timeout_s"),
        ({"max_association_s": 1.0}, "max_association_s"),
    ],
)
def test_an_association_has_its_time(
    listen: Listen, limits: dict[str, float], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = listen(**limits)
    with counted(rule):
        association = open_association(receiver)
        assert association.send_c_store(mr_file()).Status == 0x0000
        start = time.monotonic()
        while association.is_established and time.monotonic() < start + 6:
            if rule == "max_association_s":  # a lively one
                with suppress(RuntimeError, ValueError):
                    association.send_c_store(mr_file())
            time.sleep(0.05)
        assert association.is_aborted
    assert receiver.rows()


def open_association(receiver: Receiver) -> Association:
    """An association of pynetdicom's that the test ends itself."""
    client = AE("PYTHON")
    client.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    association = client.associate("127.0.0.1", receiver.listener.port, ae_title="MSNODE")
    assert association.is_established
    return association


# --- TLS files ---


def test_new_certificates_end_no_association(
    listen: Listen, tmp_path: Path, authority: trustme.CA
) -> None:
    tls = issue(authority, tmp_path / "node", "localhost")
    receiver = listen(tls=tls)
    client = issue(authority, tmp_path / "client", "localhost")
    entity = AE("PYTHON")
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    port = receiver.listener.port
    arguments = (client_context(client), "localhost")
    association = entity.associate("localhost", port, ae_title="MSNODE", tls_args=arguments)
    assert association.is_established
    before = serial(port, client)
    issue(authority, tmp_path / "node", "localhost")
    wait(lambda: serial(port, client) != before, 5, "the new certificate")
    assert association.send_c_store(mr_file()).Status == 0x0000
    association.release()
    tls.certificate.write_text("not a certificate")
    wait(
        lambda: REGISTRY.get_sample_value("msnode_tls_stale", {"setting": "receive.tls"}) == 1,
        5,
        "the alert",
    )
    assert serial(port, client) != before
    assert dcmtk("echoscu", "-aec", "MSNODE", *secure(client), *receiver.peer).returncode == 0


def serial(port: int, client: config.Tls) -> str:
    """Serial number of the certificate that the node shows."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        client_context(client).wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        certificate = wrapped.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


# --- conflicts ---


@pytest.mark.parametrize("policy", ["keep", "refuse", "replace"])
def test_other_content_under_a_known_uid(listen: Listen, tmp_path: Path, policy: str) -> None:
    receiver = listen(conflicts=policy)
    rule = config.Complete()
    first = write(tmp_path / "1.dcm", mr(SOPInstanceUID="1.2.3"))
    other = write(tmp_path / "2.dcm", mr(SOPInstanceUID="1.2.3", Rows=9))
    conflicts = REGISTRY.get_sample_value("msnode_conflicts_total") or 0.0
    answers = statuses(send(receiver, first))
    (study,) = receiver.inbox.complete(time.time() + 100, rule, lambda _: True)
    receiver.inbox.studies.finish(study.key, 1)
    answers += statuses(send(receiver, other, other, first))
    assert REGISTRY.get_sample_value("msnode_conflicts_total") == conflicts + (
        2 if policy == "refuse" else 1
    )
    revised = receiver.inbox.complete(time.time() + 200, rule, lambda _: True)
    kept = [
        (row.conflict, pydicom.dcmread(receiver.folder / row.path).Rows) for row in receiver.rows()
    ]
    if policy == "refuse":
        assert [answer[:5] for answer in answers] == ["Succe", "Error", "Error", "Succe"]
        assert (kept, revised) == ([(False, 8)], [])
        assert len(list((receiver.folder / "instances").glob("*/*"))) == 1
        return
    assert answers == ["Success"] * 4
    if policy == "keep":
        assert (kept, revised) == ([(False, 8), (True, 9)], [])
    else:
        assert kept == [(True, 8), (False, 9)]
        (again,) = revised
        assert [pydicom.dcmread(path).Rows for path in again.paths] == [9]


# --- what is left behind ---


def test_a_study_is_on_record(listen: Listen, tmp_path: Path) -> None:
    receiver = listen()
    paths = [write(tmp_path / f"{n}.dcm", mr(PatientID="MARKED-1")) for n in range(3)]
    send(receiver, *paths)
    wait(lambda: len(receiver.audited()) == 2, 5, "begin and end")
    begin, end = receiver.audited()
    for message in (begin, end):
        assert 'UserID="MRI1"' in message
        assert 'UserID="MSNODE"' in message
        assert 'ParticipantObjectID="MARKED-1"' in message
    assert 'NumberOfInstances="3"' in end


def test_control_characters_in_titles_reach_no_log(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = listen(callers=(config.Caller("MRI1"),))
    evil = b"\x1b[31mEVIL\n\r\x00\xff\\x!"
    with ExitStack() as stack, caplog.at_level(logging.DEBUG), counted("caller"):
        peer = stack.enter_context(
            socket.create_connection(("127.0.0.1", receiver.listener.port), 5)
        )
        body = b"\0\1\0\0" + b"MSNODE".ljust(16) + evil.ljust(16) + bytes(32)
        peer.sendall(b"\1\0" + len(body).to_bytes(4) + body)
        assert peer.recv(10) == b"\3\0\0\0\0\4\0\1\1\3"
    wait(lambda: bool(alerts(receiver)), 5, "an alert")
    printed = caplog.text + "".join(alerts(receiver))
    assert all(character.isprintable() or character == "\n" for character in printed)
    assert "EVIL\nx" not in printed

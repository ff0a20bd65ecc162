"""Peers that write A-ASSOCIATE PDUs and datasets in ways of their own, on both sides of us."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    MRImageStorage,
)
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from msnode.association_items import item, items
from msnode.config import DicomPeer
from msnode.deliver.c_store import send
from msnode.errors import TryLater
from msnode.requestor import peer
from msnode.requestor.peer import echo, parse_peer
from tests.integration.listening import Receiver, pause_reactor, write
from tests.unit.receive.datasets import encode, mr

Listen = Callable[..., Receiver]
Reply = Callable[[bytes], bytes]
IMPLICIT = ImplicitVRLittleEndian.encode()
PLAIN = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write(tmp_path / "image.dcm", mr())


@contextmanager
def scp(reply: Reply) -> Iterator[DicomPeer]:
    """An SCP that answers every request so, and every message with success."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, reply), daemon=True).start()
        yield parse_peer(f"PACS@127.0.0.1:{server.getsockname()[1]}")


def _serve(server: socket.socket, reply: Reply) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        # we may have aborted and closed
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            _talk(connection, stream.read, reply)


def _talk(connection: socket.socket, read: Callable[[int], bytes], reply: Reply) -> None:
    command = b""
    while len(head := read(6)) == 6:
        kind, length = struct.unpack(">BxI", head)
        body = read(length)
        if kind == 1:
            connection.sendall(reply(body))
        elif kind == 4:
            context_id, control = body[4], body[5]
            command = body[6:] if control & 1 else command
            if control == 2 or (control == 3 and _us(command, 0x0800) == 0x0101):
                connection.sendall(_success(context_id, command))
        elif kind == 5:
            connection.sendall(struct.pack(">BxI4x", 6, 4))


def _us(command: bytes, number: int) -> int:
    at = command.index(struct.pack("<HHI", 0, number, 2)) + 8
    return int.from_bytes(command[at : at + 2], "little")


def _success(context_id: int, command: bytes) -> bytes:
    values = {
        0x0100: _us(command, 0x0100) | 0x8000,
        0x0120: _us(command, 0x0110),
        0x0800: 0x0101,
        0x0900: 0,
    }
    body = b"".join(struct.pack("<HHIH", 0, number, 2, value) for number, value in values.items())
    body = struct.pack("<HHII", 0, 0, 4, len(body)) + body
    return struct.pack(">BxIIBB", 4, len(body) + 6, len(body) + 2, context_id, 3) + body


def acceptance(
    body: bytes, *, titles: bytes = b"", information: bytes = PLAIN, extra: bytes = b"",
    bad: bytes = b"", name: bytes = b"1.2.840.10008.3.1.1.1",
) -> bytes:  # fmt: skip
    """Accept every context that offers Implicit VR; ``bad`` is said of the others."""
    contexts = b""
    for kind, content in items(body[68:]):
        if kind == 0x20:
            good = item(0x40, IMPLICIT) in content
            said = b"\0\0" + item(0x40, IMPLICIT) if good else bad
            contexts += item(0x21, content[:1] + b"\0" + said) if said else b""
    body = struct.pack(">HH", 1, 0) + (titles or body[4:36]) + bytes(32) + item(0x10, name)
    body += extra + contexts + item(0x50, information)
    return struct.pack(">BxI", 2, len(body)) + body


@pytest.mark.parametrize(
    "odd",
    [
        {"information": PLAIN + item(0x55, b"A_VERY_LONG_IMPLEMENTATION_NAME")},
        {"information": PLAIN + item(0x55, b"V\xe9r1")},
        {"information": PLAIN + item(0x77, b"zz") + item(0x59, b"\0\xff")},
        {"information": item(0x51, bytes(4)) + item(0x52, b"1." + b"2" * 70)},
        {"information": b""},
        {"extra": item(0x60, b"vendor")},
        {"extra": item(0x21, b"\2\0\0\0" + item(0x40, IMPLICIT))},
        {"titles": b"PACS".ljust(16, b"\0") * 2},
        {"titles": b"\xff" * 32},
        {"titles": b" " * 32},
        {"name": b"1.2.\xff"},
        {"bad": b"\3\0"},
        {"bad": b"\3\0" + item(0x40, b"")},
        {"bad": b"\x09\0" + item(0x40, b"1.2.\xff")},
        {"bad": b"\0\0"},
        {"bad": b"\0\0" + item(0x40, b"")},
        {"bad": b"\0\0" + item(0x40, b"1." + b"2" * 70)},
        {"bad": b""},
    ],
)
def test_an_answer_is_read_without_what_is_to_be_ignored(
    image: Path, odd: dict[str, bytes]
) -> None:
    with scp(lambda body: acceptance(body, **odd)) as pacs:
        (receipt,) = send([image], pacs, "MSNODE")
        assert receipt.delivered, receipt.detail
        assert echo(pacs, "MSNODE") < 5


@pytest.mark.parametrize(
    ("values", "words"),
    [((1, 1, 4), "No reason"), ((9, 0, 200), "No reason"), ((2, 3, 2), "limit")],
)
def test_a_rejection_with_reserved_values_is_one(values: tuple[int, ...], words: str) -> None:
    why = f"rejected the association: .*{words}"
    with (
        scp(lambda _: struct.pack(">BxIxBBB", 3, 4, *values)) as pacs,
        pytest.raises(TryLater, match=why),
    ):
        echo(pacs, "MSNODE")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (struct.pack(">BxI", 2, 80) + bytes(68) + item(0x10, b"1.2")[:7] + b"\x21\0\0\xff\0",
         "answered, but we aborted, as its A-ASSOCIATE-AC could not be read .*cut off"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "we aborted, as what it sent may not follow"),
        (struct.pack(">BxIxxBB", 7, 4, 2, 1), "it aborted .source 2, reason 1"),
        (b"", "we aborted, as no answer came in time"),
    ],
)  # fmt: skip
def test_who_aborted_and_why_is_said(
    said: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "ACSE_S", 0.5)
    with scp(lambda _: said) as pacs, pytest.raises(TryLater, match=why):
        echo(pacs, "MSNODE")


@contextmanager
def calling(receiver: Receiver, *syntaxes: UID) -> Iterator[Association]:
    """An association with one context for MR images in each of these syntaxes."""
    client = AE("PYTHON")
    contexts = [build_context(MRImageStorage, syntax) for syntax in syntaxes]
    association = client.associate("127.0.0.1", receiver.listener.port, contexts, "MSNODE")
    assert len(association.accepted_contexts) == len(syntaxes)
    try:
        yield association
    finally:
        association.release()


def store(association: Association, dataset: Dataset, encoded: bytes, *contexts: int) -> int:
    """C-STORE these bytes, the command set and the dataset each on a context."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = dataset.SOPClassUID
    request.AffectedSOPInstanceUID = dataset.SOPInstanceUID
    request.DataSet = BytesIO(encoded)
    pause_reactor(association)
    dul = association.dul
    plain_send = dul.send_pdu

    def send_pdu(pdu: object) -> None:
        """Each P-DATA primitive on the context that the test wants."""
        values = getattr(pdu, "presentation_data_value_list", None)
        if values is not None:
            values[:] = [[contexts[not data[0] & 1], data] for _, data in values]
        plain_send(pdu)  # type: ignore[arg-type]

    dul.send_pdu = send_pdu  # type: ignore[method-assign,assignment]
    association.dimse.send_msg(request, contexts[0])
    dul.send_pdu = plain_send  # type: ignore[method-assign]
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert isinstance(response, C_STORE), "no answer"
    assert response.Status is not None
    return int(response.Status)


EXPLICIT, IMPLICIT_VR, JPEG, BIG = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, ExplicitVRBigEndian
)  # fmt: skip


@pytest.mark.parametrize(
    ("agreed", "sent"),
    [
        (EXPLICIT, IMPLICIT_VR),
        (IMPLICIT_VR, EXPLICIT),
        (BIG, IMPLICIT_VR),
        (JPEG, IMPLICIT_VR),
        (BIG, EXPLICIT),
        (EXPLICIT, BIG),
        (JPEG, EXPLICIT),
        (EXPLICIT, JPEG),
    ],
)
def test_a_dataset_in_another_syntax_is_not_taken(listen: Listen, agreed: UID, sent: UID) -> None:
    receiver = listen()
    dataset = mr()
    encoded = encode(dataset, EXPLICIT if sent == JPEG else sent)
    if sent == JPEG:
        native = encoded.index(b"\xe0\x7f\x10\x00")
        items_ = struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE0DD, 0)
        encoded = encoded[:native] + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + items_
    with calling(receiver, agreed) as association:
        assert store(association, dataset, encoded, 1, 1) in (0xA900, 0xC000)
        good = mr()
        if agreed != JPEG:
            assert store(association, good, encode(good, agreed), 1, 1) == 0
    assert len(receiver.rows()) == (agreed != JPEG)


def test_a_dataset_on_another_context_than_its_command_is_refused(listen: Listen) -> None:
    receiver = listen()
    dataset = mr()
    with calling(receiver, EXPLICIT, IMPLICIT_VR) as association:
        for syntax in (EXPLICIT, IMPLICIT_VR):
            assert store(association, dataset, encode(dataset, syntax), 1, 3) == 0xC000
        assert store(association, dataset, encode(dataset, IMPLICIT_VR), 3, 3) == 0
    assert len(receiver.rows()) == 1

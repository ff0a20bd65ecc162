"""A-ASSOCIATE-RQs as real peers send them: what PS3.8 tells to ignore is ignored."""

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage
from pynetdicom.pdu import A_ASSOCIATE_AC

from msnode.association_items import APPLICATION_CONTEXT, item, items, uid
from msnode.receive.dicom.negotiation import Context, accept
from msnode.receive.dicom.proposal import read_proposal
from msnode.receive.dicom.request import Request
from msnode.receive.dicom.sop_classes import VERIFICATION, contexts
from msnode.receive.dicom.upper_layer import ProtocolError

ECHO, MR, IMPLICIT = (
    name.encode() for name in (VERIFICATION, MRImageStorage, ImplicitVRLittleEndian)
)
SUPPORTED = contexts([MRImageStorage])
TITLES = b"MSNODE".ljust(16) + b"MRI1".ljust(16) + bytes(32)
LENGTH = item(0x51, struct.pack(">I", 16384))
CLASS = item(0x52, b"1.2.3")


def offer(number: int, abstract: bytes, *syntaxes: bytes) -> bytes:
    """A presentation context."""
    names = item(0x30, abstract) + b"".join(item(0x40, syntax) for syntax in syntaxes)
    return item(0x20, bytes((number, 0, 0, 0)) + names)


GOOD = offer(1, ECHO, IMPLICIT)


def request(
    offers: bytes = GOOD, information: bytes = LENGTH + CLASS, titles: bytes = TITLES
) -> Request:
    name = item(0x10, APPLICATION_CONTEXT.encode())
    body = struct.pack(">HH", 1, 0) + titles + name + offers + item(0x50, information)
    return Request(1, "MSNODE", "MRI1", body)


class Heard:
    """Takes the place of a connection."""

    def __init__(self) -> None:
        self.pdu = b""
        self.limit = -1

    def send(self, pdu: bytes) -> None:
        self.pdu += pdu

    def establish(self, limit: int) -> None:
        self.limit = limit


def answer(asked: Request) -> tuple[dict[int, int], dict[int, Context], Heard]:
    """The results by context as the peer reads them, the contexts in force, the connection."""
    heard = Heard()
    connection: Any = heard
    in_force = accept(connection, asked.decode(), SUPPORTED, 65536)
    return dict(results(heard.pdu)), in_force, heard


def results(pdu: bytes) -> Iterator[tuple[int, int]]:
    assert struct.unpack_from(">BxI", pdu) == (2, len(pdu) - 6)
    for kind, content in items(pdu[74:]):
        if kind == 0x21:
            yield content[0], content[2]


@pytest.mark.parametrize(
    "information",
    [
        LENGTH + CLASS + item(0x55, b"A_VERY_LONG_IMPLEMENTATION_NAME"),
        LENGTH + CLASS + item(0x55, b"V\xe9r1"),
        LENGTH + CLASS + item(0x55, b""),
        LENGTH + item(0x52, b"1." + b"2" * 70),
        LENGTH + item(0x52, b""),
        LENGTH + CLASS + item(0x77, b"vendor"),
        LENGTH + CLASS + item(0x00, b""),
        LENGTH + CLASS + item(0x58, struct.pack(">BBH", 9, 0, 4) + b"user" + bytes(2)),
        LENGTH + CLASS + item(0x58, b"\1"),
        LENGTH + CLASS + item(0x53, b"\0"),
        LENGTH + CLASS + item(0x54, b"\0\7"),
        LENGTH + CLASS + item(0x54, struct.pack(">H", 200) + b"\xff\xfe\1"),
        LENGTH + CLASS + item(0x56, b"\0\xff1.2"),
        LENGTH + CLASS + item(0x57, b"\0"),
        LENGTH + CLASS + b"\x59\0\0\xffcut off",
    ],
)
def test_odd_user_information_is_ignored(information: bytes) -> None:
    found, in_force, heard = answer(request(information=information))
    assert found == {1: 0}
    assert in_force == {1: Context(VERIFICATION, ImplicitVRLittleEndian)}
    assert heard.limit == 16384


@pytest.mark.parametrize("information", [b"", CLASS, item(0x51, b"\1")])
def test_without_a_maximum_length_any_is_right(information: bytes) -> None:
    found, _, heard = answer(request(information=information))
    assert (found, heard.limit) == ({1: 0}, 0)


@pytest.mark.parametrize("kind", [0x00, 0x11, 0x21, 0x60, 0xFF])
def test_unknown_items_are_ignored(kind: int) -> None:
    odd = item(kind, b"vendor")
    assert answer(request(odd + GOOD + odd))[0] == {1: 0}


@pytest.mark.parametrize(
    ("bad", "result"),
    [
        (offer(3, b"1.2." + b"3" * 70, IMPLICIT), 3),
        (offer(3, b"1.2.\xff", IMPLICIT), 3),
        (offer(3, b"", IMPLICIT), 3),
        (offer(3, b"MR", IMPLICIT), 3),
        (offer(3, MR), 4),
        (offer(3, MR, b""), 4),
        (offer(3, MR, b"1.2.\xff"), 4),
        (offer(3, MR, b"1." + b"2" * 70), 4),
        (item(0x20, b"\3"), 3),
        (item(0x20, b"\3\0\0\0"), 3),
        (item(0x20, b"\3\0\0\0" + item(0x40, IMPLICIT)), 3),
        (item(0x20, b"\3\0\0\0" + item(0x30, MR) + item(0x30, ECHO) + item(0x40, IMPLICIT)), 3),
        (item(0x20, b"\3\0\0\0\x30\0\0\x70" + MR), 3),
    ],
)
def test_a_bad_context_is_refused_alone(bad: bytes, result: int) -> None:
    for offers in (GOOD + bad, bad + GOOD):
        found, in_force, _ = answer(request(offers))
        assert found == {1: 0, 3: result}
        assert list(in_force) == [1]


@pytest.mark.parametrize("number", [0, 2, 254])
def test_an_even_id_is_answered_and_not_accepted(number: int) -> None:
    found, in_force, _ = answer(request(offer(number, MR, IMPLICIT) + GOOD))
    assert found == {1: 0, number: 1}
    assert list(in_force) == [1]


def test_of_two_contexts_with_one_id_the_first_counts() -> None:
    found, in_force, heard = answer(request(GOOD + offer(1, MR, IMPLICIT)))
    assert (found, in_force[1].sop_class_uid) == ({1: 0}, VERIFICATION)
    assert len(list(results(heard.pdu))) == 1


def test_one_bad_syntax_among_good_ones_and_padding_do_no_harm() -> None:
    offers = offer(1, ECHO + b"\0", b"1.2.\xff", IMPLICIT + b"\0", b"") + offer(
        3, MR + b" ", IMPLICIT
    )
    assert answer(request(offers))[0] == {1: 0, 3: 0}


def test_titles_come_back_as_they_were_sent_and_pynetdicom_can_read_it() -> None:
    titles = b"MSNODE".ljust(16, b"\0") + b"MRI1".ljust(16, b"\0") + b"x" * 32
    pdu = answer(request(GOOD + offer(3, b"", IMPLICIT) + offer(5, MR), titles=titles))[2].pdu
    assert pdu[10:74] == titles
    heard = A_ASSOCIATE_AC()
    heard.decode(pdu)
    primitive = heard.to_primitive()
    assert primitive.maximum_length_received == 65536
    found = primitive.presentation_context_definition_results_list
    assert [(context.context_id, context.result) for context in found] == [(1, 0), (3, 3), (5, 4)]


def test_roles_are_read() -> None:
    role = item(0x54, struct.pack(">H", len(MR)) + MR + b"\0\1")
    asked = request(information=LENGTH + role).decode()
    assert asked.roles == {MRImageStorage: (False, True)}


@pytest.mark.parametrize("tail", [b"\x10", b"\x20\0\0\x09cut", b"\x50\0\xff\xff"])
def test_a_request_that_is_cut_off_is_none(tail: bytes) -> None:
    asked = request()
    with pytest.raises(ProtocolError, match="cut off"):
        Request(1, "", "", asked.body + tail).decode()


def test_a_request_without_an_application_context_is_none() -> None:
    with pytest.raises(ValueError, match="application context"):
        read_proposal(bytes(68) + GOOD)


@pytest.mark.parametrize(
    ("value", "name"),
    [(b"1.2.3\0", "1.2.3"), (b" 1.2 ", "1.2"), (b"1..2", ""), (b"1.2.", ""), (b"1" * 65, "")],
)
def test_uids(value: bytes, name: str) -> None:
    assert uid(value) == name

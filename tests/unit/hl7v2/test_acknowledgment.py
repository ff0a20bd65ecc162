"""Acknowledgments: the mode that is asked for, places, echoes; and those that others send."""

import pytest
from hl7apy.parser import parse_message

from msnode.hl7v2.acknowledgment import (
    DATA_TYPE,
    Acknowledged,
    Fault,
    Verdict,
    acknowledge,
    read_acknowledgment,
)
from msnode.hl7v2.hl7_message import Unreadable
from msnode.hl7v2.message_header import header_of
from tests.hl7_messages import code, errors, fields, message, msh

BAD = (Fault(DATA_TYPE, "give a number | or none", "OBX", 2, 5),)


def answer(header: str, verdict: Verdict = Verdict.ACCEPT) -> bytes | None:
    faults = () if verdict == Verdict.ACCEPT else BAD
    return acknowledge(header_of(message(header)), verdict, faults, at=0.0)


@pytest.mark.parametrize(
    ("modes", "codes"),
    [
        ("|", ("AA", "AE", "AR")),
        ("AL|NE", ("CA", "CE", "CR")),
        ("AL|AL", ("CA", "CE", "CR")),
        ("NE|AL", ("AA", "AE", "AR")),
        ("ER|NE", (None, "CE", "CR")),
        ("SU|NE", ("CA", None, None)),
        ("NE|NE", (None, None, None)),
        ("XX|", ("CA", "CE", "CR")),
    ],
)
def test_the_mode_is_the_one_that_is_asked_for(modes: str, codes: tuple[str | None, ...]) -> None:
    answers = [answer(msh(modes=modes), verdict) for verdict in Verdict]
    assert tuple(one and code(one) for one in answers) == codes


def test_an_answer_goes_back_and_echoes_what_it_is_to() -> None:
    told = answer(msh("ADT^A08^ADT_A01", "C17", charset="8859/1"))
    assert told is not None
    (head,), (msa,) = fields(told, "MSH"), fields(told, "MSA")
    assert head[2:6] == ["MSNODE", "RAD", "EHR", "CLINIC"]
    assert (head[8], head[10], head[11], head[17]) == ("ACK^A08^ACK", "P", "2.5.1", "8859/1")
    assert msa[1:3] == ["AA", "C17"]
    assert answer(msh("ADT^A08^ADT_A01", "C17", charset="8859/1")) == told


def test_the_place_of_a_fault_is_told_and_conforms_to_the_standard() -> None:
    told = answer(msh(), Verdict.ERROR)
    assert errors(told) == [("OBX^2^5", "102")]
    assert told is not None
    parse_message(told.decode().replace("R01^ACK", "R01^ACK"), find_groups=False).validate()


def test_before_2_5_there_is_no_err_of_that_form() -> None:
    told = answer(msh(version="2.3"), Verdict.ERROR)
    assert errors(told) == []
    assert fields(told or b"", "MSA")[0][3] == "give a number _ or none"


def test_other_separators_are_kept() -> None:
    header = header_of(b"MSH#*~\\&#A#B#C#D#2024##ORU*R01#1#P#2.5.1\r")
    told = acknowledge(header, Verdict.ERROR, BAD, at=0.0)
    assert told is not None
    assert told.startswith(b"MSH#*~\\&#C#D#A#B#")
    assert b"ERR##OBX*2*5#102*Data type error*HL70357#E" in told


@pytest.mark.parametrize(
    ("segments", "found"),
    [
        (("MSA|AA|X1",), Acknowledged("AA", "X1")),
        (("MSA|AE|X1", "ERR||PID^1^3|204^Unknown key identifier^HL70357|E"),
         Acknowledged("AE", "X1", "204")),
        (("MSA|AR|X1|no||| 207^internal",), Acknowledged("AR", "X1", "207")),
        (("ERR|", "MSA|CR|X1"), Acknowledged("CR", "X1")),
    ],
)  # fmt: skip
def test_what_others_acknowledge_is_read(segments: tuple[str, ...], found: Acknowledged) -> None:
    assert read_acknowledgment(message(msh("ACK"), *segments)) == found


@pytest.mark.parametrize("segments", [(), ("MSA|XX|1",), ("MSA",)])
def test_what_says_nothing_is_no_acknowledgment(segments: tuple[str, ...]) -> None:
    with pytest.raises(Unreadable):
        read_acknowledgment(message(msh("ACK"), *segments))

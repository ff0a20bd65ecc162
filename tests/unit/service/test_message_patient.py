"""Whose a message is: an ID that is told to be none is nobody's."""

import pytest

from msnode.hl7v2.hl7_message import segments
from msnode.service.message_intake import MessageIntake
from msnode.store.patients import are_one, patient_key
from msnode.twin.clinical.event_hl7 import who_of
from tests.hl7_messages import EDSS, MERGE, OBR, PID, SECRET, code, errors, message, msh, order

NULL_ID = b'""^^^CLINIC^MR'


def test_an_id_that_is_null_joins_no_two_patients(intake: MessageIntake) -> None:
    for number, patient in enumerate(("4711", "5822")):
        merge = message(
            msh("ADT^A40^ADT_A39", f"n{number}"),
            f"PID|1||{patient}^^^CLINIC^MR",
            'MRG|""^^^CLINIC^MR',
        )
        answer = intake.take(merge, "HIS")
        assert (code(answer), errors(answer)) == ("AE", [("MRG^1^1", "102")])
    one, other = (patient_key(SECRET, patient, "CLINIC") for patient in ("4711", "5822"))
    with intake.database.connect() as connection:
        assert not are_one(connection, one, other)


@pytest.mark.parametrize("told", [MERGE, order(), message(msh(), PID, OBR, EDSS)])
def test_a_patient_whose_id_is_null_is_nobody(intake: MessageIntake, told: bytes) -> None:
    answer = intake.take(told.replace(b"4711^^^CLINIC^MR", NULL_ID), "HIS")
    assert (code(answer), errors(answer)[0]) == ("AE", ("PID^1^3", "102"))


def test_an_order_whose_number_is_null_has_none(intake: MessageIntake) -> None:
    told = message(msh("ORM^O01"), PID, 'ORC|NW|""^HIS|""^RIS', 'OBR|1|""^HIS|""|x')
    answer = intake.take(told, "HIS")
    assert (code(answer), errors(answer)) == ("AE", [("ORC^1^2", "102")])


@pytest.mark.parametrize("told", ['""', '""&1.2.3&ISO'])
def test_a_namespace_that_is_null_is_none(told: str) -> None:
    pid = segments(message(msh(), f"PID|1||4711^^^{told}^MR"))[1]
    assert who_of(pid, 3) == ("4711", "1.2.3" if "ISO" in told else "")

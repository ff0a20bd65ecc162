"""What HL7 v2 messages change, and what is answered; each once, in any order."""

import time
from itertools import count, permutations
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode import audit, metrics
from msnode.errors import TryLater
from msnode.service.message_intake import MessageIntake
from msnode.service.message_reading import OF_NO_CONCERN
from msnode.store import message_log
from msnode.store.database import clinical_events
from msnode.store.hl7_tables import hl7_messages
from msnode.store.message_log import Outcome
from msnode.store.patients import are_one, patient_key
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.clinical.events import sift
from tests.hl7_messages import (
    EDSS,
    MERGE,
    OBR,
    PID,
    RELAPSE,
    SECRET,
    WHO,
    add_study,
    code,
    errors,
    message,
    msh,
    order,
    take,
)

ORU = message(msh(), PID, OBR, EDSS, RELAPSE)


def outcomes(database: sa.Engine) -> list[str]:
    with database.connect() as connection:
        return sorted(connection.scalars(sa.select(hl7_messages.c.outcome)))


def events(database: sa.Engine, key: str = WHO) -> list[tuple[str, str]]:
    with database.connect() as connection:
        valid = sift(one.event for one in of_patient(connection, key)).valid
    return sorted((one.kind, one.value) for one in valid)


def test_results_go_on_record_and_a_repeat_is_the_same_answer(intake: MessageIntake) -> None:
    first = intake.take(ORU, "HIS")
    assert code(first) == "AA"
    known = [("birth_year", "1980"), ("edss", "2.0"), ("relapse", ""), ("sex", "F")]
    assert events(intake.database) == known
    assert intake.take(ORU, "HIS") == first
    assert outcomes(intake.database) == ["used"]
    other = ORU.replace(b"2.0", b"3.0")
    assert errors(intake.take(other, "HIS")) == [("MSH^1^10", "205")]
    assert events(intake.database) == known


def test_a_counter_that_begins_anew_is_another_message(intake: MessageIntake) -> None:
    assert take(intake, ORU) == "AA"
    later = message(msh(sent="20240116101500"), PID, OBR.replace("F1", "F2"), EDSS)
    assert take(intake, later) == "AA"
    assert outcomes(intake.database) == ["used", "used"]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (msh(control=""), ("MSH^1^10", "101")),
        (msh("SIU^S12"), ("MSH^1^9", "200")),
        (msh("ADT^A34"), ("MSH^1^9", "201")),
        (msh("ADT^A23"), ("MSH^1^9", "201")),
        (msh("ADT^A29^ADT_A21"), ("MSH^1^9", "201")),
        (msh(processing="T"), ("MSH^1^11", "202")),
        (msh(processing=""), ("MSH^1^11", "202")),
    ],
)
def test_what_is_not_taken_here_is_rejected_and_not_kept(
    intake: MessageIntake, header: str, told: tuple[str, str]
) -> None:
    answer = intake.take(message(header, PID), "HIS")
    assert (code(answer), errors(answer)) == ("AR", [told])
    assert outcomes(intake.database) == []


def test_another_version_is_rejected(intake: MessageIntake) -> None:
    answer = intake.take(message(msh(version="3.0"), PID), "HIS")
    assert (code(answer), errors(answer)) == ("AR", [("MSH^1^12", "203")])


def test_without_a_header_there_is_an_answer_too(intake: MessageIntake) -> None:
    assert take(intake, b"PID|1||4711\r") == "AR"
    assert take(intake, b"") == "AR"


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ((PID, OBR, EDSS.replace("2.0", "11")), ("OBX^1^5", "102")),
        ((PID, OBR, EDSS.replace("edss^", "hb^")), ("OBX^1^3", "103")),
        ((PID, OBR, EDSS.replace("|F|||", "|P|||")), ("OBX^1^11", "103")),
        ((PID, OBR, EDSS, "OBX|2|NM|edss^EDSS^99MSNODE|2|x||||||F|||20240115"), ("OBX^2^5", "102")),
        ((PID, EDSS), ("OBX^1", "100")),
        ((PID, OBR, EDSS, PID, OBR, EDSS), ("", "100")),
        (("PID|1||", OBR, EDSS), ("PID^1^3", "102")),
        ((), ("", "100")),
    ],
)
def test_content_that_cannot_be_used_is_kept_and_its_place_is_told(
    intake: MessageIntake, segments: tuple[str, ...], told: tuple[str, str]
) -> None:
    answer = intake.take(message(msh(), *segments), "HIS")
    assert code(answer) == "AE"
    assert errors(answer)[0] == told
    with intake.database.connect() as connection:
        (kept,) = message_log.listed(connection, Outcome.REFUSED, 9)
    assert kept.content == message(msh(), *segments)
    assert (kept.faults[0]["place"], str(kept.faults[0]["code"])) == told


def test_what_is_sound_beside_what_is_not_goes_on_record(intake: MessageIntake) -> None:
    assert take(intake, message(msh(), PID, OBR, EDSS, RELAPSE.replace("20240110", "x"))) == "AE"
    assert ("edss", "2.0") in events(intake.database)
    right = message(msh(control="2"), PID, OBR, EDSS, RELAPSE)
    assert take(intake, right) == "AA"
    assert [kind for kind, _ in events(intake.database)].count("edss") == 1


@pytest.mark.parametrize(
    ("charset", "codec"), [("8859/1", "iso8859-1"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8")]
)
def test_text_is_read_in_the_set_of_msh_18(intake: MessageIntake, charset: str, codec: str) -> None:
    told = message(msh(charset=charset), PID, OBR, EDSS, "NTE|1||müde \\T\\ blaß", charset=codec)
    assert take(intake, told) == "AA"
    with intake.database.connect() as connection:
        notes = set(connection.scalars(sa.select(clinical_events.c.note)))
    assert "müde & blaß" in notes


def test_an_unknown_set_is_kept_and_told(intake: MessageIntake) -> None:
    answer = intake.take(message(msh(charset="KLINGON"), PID, OBR, EDSS), "HIS")
    assert (code(answer), errors(answer)) == ("AE", [("MSH^1^18", "103")])


def test_z_segments_are_passed_over(intake: MessageIntake) -> None:
    assert take(intake, message(msh(), "ZAA|1", PID, "ZBB|x^y", OBR, EDSS, "ZZZ")) == "AA"


def test_where_a_patient_is_concerns_nobody_here_and_is_not_kept(intake: MessageIntake) -> None:
    for kind in OF_NO_CONCERN:
        assert take(intake, message(msh(kind, kind[-3:]), "EVN|", PID, "PV1|1|I")) == "AA"
    with intake.database.connect() as connection:
        every = list(message_log.listed(connection, None, 99))
    assert len(every) == len(OF_NO_CONCERN)
    told = {(one.outcome, one.content, one.patient_key) for one in every}
    assert told == {(Outcome.IGNORED, None, "")}


def test_data_of_a_patient_that_nobody_knows_are_not_kept(intake: MessageIntake) -> None:
    assert take(intake, message(msh("ADT^A08"), PID)) == "AA"
    assert (events(intake.database), outcomes(intake.database)) == ([], ["ignored"])


@pytest.mark.parametrize("sequence", list(permutations(range(3))))
def test_the_latest_data_of_a_patient_hold_in_any_order(
    intake: MessageIntake, sequence: tuple[int, ...]
) -> None:
    add_study(intake.database)
    told = [
        message(msh("ADT^A08", str(n), f"2024011510150{n}"), f"PID|1||4711^^^CLINIC^MR||||{born}|F")
        for n, born in enumerate(("19800101", "19790101", "19800101"))
    ]
    for index in sequence:
        assert take(intake, told[index]) == "AA"
    assert events(intake.database) == [("birth_year", "1980"), ("sex", "F")]


def test_a_merge_holds_also_before_the_patient_is_known(intake: MessageIntake) -> None:
    assert take(intake, MERGE) == "AA"
    assert take(intake, MERGE) == "AA"
    old = message(msh(control="2"), PID.replace("4711", "0815"), OBR, EDSS)
    assert take(intake, old) == "AA"
    assert ("edss", "2.0") in events(intake.database)
    with intake.database.connect() as connection:
        assert are_one(connection, WHO, patient_key(SECRET, "0815", "CLINIC"))


def test_a_merge_that_names_an_id_of_several_issuers_is_refused(intake: MessageIntake) -> None:
    for issuer in ("CLINIC", "OTHER"):
        who = PID.replace("CLINIC", issuer)
        assert take(intake, message(msh(control=issuer), who, OBR, EDSS)) == "AA"
    vague = MERGE.replace(b"4711^^^CLINIC", b"4711")
    assert errors(intake.take(vague, "HIS")) == [("", "204")]


def test_without_room_or_database_the_sender_keeps_the_message(database: sa.Engine) -> None:
    full = MessageIntake(database, SECRET, "P", lambda: False)
    with pytest.raises(TryLater, match="the disk is nearly full"):
        full.take(ORU, "HIS")
    away = sa.create_engine("sqlite:////nowhere/at/all.sqlite")
    with pytest.raises(TryLater, match="the database cannot be used"):
        MessageIntake(away, SECRET, "P", lambda: True).take(ORU, "HIS")


def test_an_error_of_ours_holds_up_nobody(
    intake: MessageIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("msnode.service.message_intake.take", fail)
    answer = intake.take(ORU, "HIS")
    assert (code(answer), errors(answer)) == ("AE", [("", "207")])
    assert (outcomes(intake.database), events(intake.database)) == (["refused"], [])


def test_the_audit_trail_hears_of_it_and_the_log_names_nobody(
    database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[str, str]] = []

    class Ear:
        def patient_record(self, account: str, access: audit.Access, patient: str) -> None:
            heard.append((account, patient))

    ear: Any = Ear()
    intake = MessageIntake(database, SECRET, "P", lambda: True, ear)
    caplog.set_level("INFO")
    for one in (ORU, MERGE, order(), message(msh(control="8"), PID, OBR, EDSS.replace("2.0", "x"))):
        intake.take(one, "HIS")
    assert heard == [("HIS", "4711"), ("HIS", "0815"), ("HIS", "4711"), ("HIS", "4711")]
    assert caplog.text.count("message caller='HIS'") == 4
    for secret in ("4711", "DOE", "1980", "0815", "PL1"):
        assert secret not in caplog.text


WHOLE = (
    message(msh(control="#"), PID, OBR, EDSS, RELAPSE),
    MERGE.replace(b"|m1|", b"|#|"),
    order(message_id="#"),
    message(msh("ADT^A08", "#"), PID),
)
NUMBERS = count(1)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(WHOLE),
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 12),
            st.binary(max_size=4) | st.sampled_from([b"|", b"^", b"~", b"\\", b"&", b"\r", b"\0"]),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_whatever_comes_is_answered_and_what_is_accepted_is_on_record(
    intake: MessageIntake, whole: bytes, changes: list[tuple[float, int, bytes]]
) -> None:
    whole = whole.replace(b"#", b"%d" % next(NUMBERS), 1)  # else it would contradict the one before
    for where, length, other in changes:
        at = int(where * len(whole))
        whole = whole[:at] + other + whole[at + length :]
    started = time.monotonic()
    answer = intake.take(whole, "HIS")
    assert time.monotonic() - started < 5
    if answer is None:
        return  # MSH-15 or 16 came about
    assert b"207^" not in answer, "an error that nobody foresaw"
    letter = answer.split(b"MSA")[1][2:3]
    before = len(outcomes(intake.database))
    if letter in (b"A", b"E"):
        assert intake.take(whole, "HIS") == answer
        assert len(outcomes(intake.database)) == before


def test_what_came_is_counted(intake: MessageIntake) -> None:
    def number(kind: str, outcome: str) -> float:
        return float(metrics.HL7_MESSAGES.labels(kind, outcome)._value.get())

    bad = message(msh(control="9"), PID, OBR, EDSS.replace("2.0", "x"))
    put_aside = metrics.QUARANTINED.labels("hl7_message")._value
    aside = put_aside.get()
    cases = [(bad, "ORU^R01", "refused"), (ORU, "ORU^R01", "used"), (ORU, "ORU^R01", "repeated"),
             (message(msh("XYZ^Q")), "other", "rejected")]  # fmt: skip
    for one, kind, outcome in cases:
        before = number(kind, outcome)
        intake.take(one, "HIS")
        assert number(kind, outcome) == before + 1
    assert put_aside.get() == aside + 1


def test_what_is_rejected_again_and_again_is_logged_once(
    intake: MessageIntake, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        assert take(intake, message(msh("SIU^S12", str(number)), PID)) == "AR"
    assert caplog.text.count("message rejected") == 1

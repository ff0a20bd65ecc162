"""HL7 v2 messages: what is taken, what is refused with its place, and corrections in any order."""

import random
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.errors import Refused
from msnode.store.merges import undo
from msnode.store.patients import are_one, patient_key
from msnode.twin.clinical.course import course
from msnode.twin.clinical.event_csv import RefusedRow, Row
from msnode.twin.clinical.event_hl7 import MergeRow, read_messages
from msnode.twin.clinical.event_import import Imported, import_events
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.clinical.events import sift

TODAY = date(2026, 1, 1)
PID = "PID|1||4711^^^CLINIC^MR~99^^^STATE^NI||DOE^JANE||19801231|F"
OBR = "OBR|1|PL1|F1|edss^EDSS^99MSNODE|||20240115"
EDSS = "OBX|1|NM|edss^EDSS^99MSNODE||2.0||||||F|||20240115093000"


def msh(kind: str = "ORU^R01^ORU_R01", sent: str = "20240115101500", charset: str = "") -> str:
    return f"MSH|^~\\&|EHR|CLINIC|MSNODE|RAD|{sent}||{kind}|1|P|2.5.1||||||{charset}"


def message(*segments: str) -> str:
    return "\r".join(segments) + "\r"


def read(path: Path, data: str | bytes) -> list[Row | RefusedRow | MergeRow]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read_messages(path, lambda patient, issuer: f"{patient}|{issuer}", TODAY))


def of_obx(path: Path, obx: str, *more: str) -> Row | RefusedRow:
    """What comes of one result."""
    found = read(path, message(msh(), "PID|1||1", OBR, obx, *more))
    assert len(found) == 1
    assert not isinstance(found[0], MergeRow)
    return found[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feed.hl7"


def test_a_result_with_its_person_its_note_and_its_day(file: Path) -> None:
    found = read(file, message(msh(), PID, OBR, EDSS, "NTE|1||walks \\T\\ stands", "ZZZ|own"))
    assert all(isinstance(one, Row) and one.patient_key == "4711|CLINIC" for one in found)
    events = {one.event.kind: one.event for one in found if isinstance(one, Row)}
    assert events["birth_year"].value == "1980"
    assert events["sex"].value == "F"
    edss = events["edss"]
    assert (edss.day, edss.value, edss.note) == (date(2024, 1, 15), "2.0", "walks & stands")
    assert edss.identifier == "F1/edss/1"


@pytest.mark.parametrize(
    ("obx", "when", "value", "unit"),
    [
        ("OBX|1|DT|relapse^^99MSNODE||202308||||||F", "2023-08", "", ""),
        ("OBX|1|DT|onset^^99MSNODE||2019||||||F", "2019", "", ""),
        ("OBX|1|DT|relapse_review^^99MSNODE||20200101||||||F", "2024-01-15", "2020-01-01", ""),
        ("OBX|1|CWE|diagnosis^^99MSNODE||RRMS^relapsing^X||||||F", "2024-01-15", "RRMS", ""),
        ("OBX|1|NM|t25fw^^99MSNODE||6.5|s^second^UCUM|||||F", "2024-01-15", "6.5", "s"),
        ("OBX|1|ST|treatment_begun^^99MSNODE||A\\S\\B||||||F", "2024-01-15", "A^B", ""),
    ],
)
def test_every_kind_has_its_place(obx: str, when: str, value: str, unit: str, file: Path) -> None:
    found = of_obx(file, obx)
    assert isinstance(found, Row), found
    assert (found.event.when, found.event.value, found.event.unit) == (when, value, unit)


@pytest.mark.parametrize(
    ("obx", "place"),
    [
        (EDSS.replace("2.0", "0.5"), "OBX-5"),
        (EDSS.replace("2.0", "2.0~3.0"), "OBX-5"),
        (EDSS.replace("99MSNODE", "LN"), "OBX-3"),
        (EDSS.replace("edss", "mood"), "OBX-3"),
        (EDSS.replace("|F|", "|P|"), "OBX-11"),
        (EDSS.replace("|2.0|", "|2.0|points"), "OBX-6"),
        (EDSS.replace("20240115093000", "20300101"), "OBX-14"),
        (EDSS.replace("20240115093000", "yesterday"), "OBX-14"),
        (EDSS.replace("2.0", "\\X0\\"), "segment 4"),
        (EDSS.replace("2.0", "\\"), "segment 4"),
        (EDSS.replace("|NM|", "|SN|").replace("2.0", "^1^:^8"), "OBX-2"),
        (EDSS.replace("2.0", "2\x1c.0"), "OBX-5"),
        (EDSS.replace("2.0", "\\XFF\\"), "segment 4"),
        ("OBX", "OBX-11"),
    ],
)
def test_a_result_that_cannot_be_is_refused_by_its_field(obx: str, place: str, file: Path) -> None:
    found = of_obx(file, obx)
    assert isinstance(found, RefusedRow)
    assert [place in flaw.column for flaw in found.flaws] == [True], found.flaws
    assert found.line == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (message(msh("ADT^A08"), PID), "MSH-9"),
        (message(msh().replace("2.5.1", "3"), PID, OBR, EDSS), "MSH-12"),
        (message(msh(charset="UNICODE UTF-16"), PID, OBR, EDSS), "MSH-18"),
        (message(msh(), OBR, EDSS), "segment 3"),
        (message(msh(), "PID|1", OBR, EDSS), "PID-3"),
        (message(msh(), "PID|1||1~2", OBR, EDSS), "PID-3"),
        (message(msh(), "PID|1||1", EDSS), "segment 3"),
        (message(msh(), "PID|1||1"), ""),
        (message("MSH|^~\\&"), ""),
        ("MSHMSHMSH", "MSH-2"),
        (message(msh("ADT^A40"), PID), ""),
        (message(msh("ADT^A40"), PID, "MRG|"), "MRG-1"),
    ],
)
def test_a_message_that_cannot_be_is_refused_and_the_next_is_read(
    text: str, place: str, file: Path
) -> None:
    found = read(file, text + "\r" + message(msh(), "PID|1||1", OBR, EDSS))
    refused = [one for one in found if isinstance(one, RefusedRow)]
    assert {one.line for one in refused} == {1}
    assert any(place in flaw.column for one in refused for flaw in one.flaws)
    assert isinstance(found[-1], Row)
    assert found[-1].line == 2


@pytest.mark.parametrize(
    ("charset", "codec"), [("", "utf-8"), ("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"),
                           ("8859/2", "iso8859-2")],
)  # fmt: skip
def test_characters_are_those_that_the_message_names(charset: str, codec: str, file: Path) -> None:
    text = message(msh(charset=charset), "PID|1||1", OBR, EDSS, "NTE|1||müde")
    (found,) = read(file, text.encode(codec))
    assert isinstance(found, Row)
    assert found.event.note == "müde"
    (wrong,) = read(file, message(msh(), "PID|1||1", OBR, EDSS, "NTE|1||müde").encode("latin-1"))
    assert isinstance(wrong, RefusedRow)


@pytest.mark.parametrize(
    ("note", "wanted"),
    [("a\\F\\b", "a|b"), ("m\\XC3BC\\de", "müde"), ("a\\.br\\b", "a b"), ("a\\E\\b", "a\\b")],
)
def test_escapes_are_undone(note: str, wanted: str, file: Path) -> None:
    text = message(msh(), "PID|1||1", OBR, EDSS, f"NTE|1||{note}")
    (found,) = read(file, text)
    assert isinstance(found, Row)
    assert found.event.note == wanted
    (other,) = read(file, text.replace("|", "#"))
    assert isinstance(other, Row)
    assert other.event.note == wanted.replace("|", "#")


def test_the_issuer_is_that_of_the_chosen_identifier(file: Path) -> None:
    pid = "PID|1||4711^^^STATE^NI~4711^^^CLINIC&1.2&ISO^MR"
    (found,) = read(file, message(msh(), pid, OBR, EDSS))
    assert isinstance(found, Row)
    assert found.patient_key == "4711|CLINIC"


def test_two_results_of_one_name_in_a_message_want_a_sub_id(file: Path) -> None:
    relapse = "OBX|1|DT|relapse^^99MSNODE||{}||||||F"
    two = (relapse.format(day) for day in ("20200101", "20220101"))
    found = read(file, message(msh(), "PID|1||1", OBR, *two))
    assert [isinstance(one, Row) for one in found] == [True, False]
    assert isinstance(found[1], RefusedRow)
    assert "OBX-4" in found[1].flaws[0].column


def test_orders_of_two_laboratories_are_two(file: Path) -> None:
    orders = (OBR.replace("F1", f"F1^{name}") for name in ("LAB", "EHR"))
    found = read(file, "".join(message(msh(), "PID|1||1", one, EDSS) for one in orders))
    names = [one.event.identifier for one in found if isinstance(one, Row)]
    assert names == ["F1^LAB/edss/1", "F1^EHR/edss/1"]


@pytest.mark.parametrize("old", ["1\\X0A\\2", "1" * 65])
def test_an_id_that_cannot_be_is_merged_with_nobody(old: str, file: Path) -> None:
    (found,) = read(file, message(msh("ADT^A40"), PID, f"MRG|{old}"))
    assert isinstance(found, RefusedRow)
    assert "MRG-1" in found.flaws[0].column


def test_batches_frames_line_ends_and_separators_do_not_matter(file: Path) -> None:
    plain = message(msh(), PID, OBR, EDSS)
    wanted = read(file, plain)
    batch = f"FHS|^~\\&\rBHS|^~\\&\r{plain}BTS|1\rFTS|1\r"
    other = plain.translate(str.maketrans("|^~\\&", "#@!?%"))
    for text in (f"\x0b{plain}\x1c\r", batch, plain.replace("\r", "\r\n"), other):
        assert read(file, text) == wanted
    two = read(file, message(msh(), PID, OBR, EDSS, "PID|2||5", OBR, EDSS))
    assert [one.patient_key for one in two if isinstance(one, Row)][-1] == "5|"


def test_a_file_without_a_message_is_refused(file: Path) -> None:
    for text in ("", "patient,date,kind\n", "PID|1||1"):
        with pytest.raises(Refused, match="MSH"):
            read(file, text)


def corrected(status: str, value: str, sent: str) -> str:
    obx = EDSS.replace("|2.0|", f"|{value}|").replace("|F|", f"|{status}|")
    return message(msh(sent=sent), "PID|1||1", OBR, obx)


def test_of_corrections_the_last_that_was_sent_holds_in_any_order(file: Path) -> None:
    texts = (
        corrected("F", "2.0", "20240115101500"),
        corrected("C", "3.0", "20240116101500"),
        corrected("C", "2.5", "20240117101500"),
    )
    for order in permutations(texts):
        rows = read(file, "".join((*order, order[0])))
        events = [row.event for row in rows if isinstance(row, Row)]
        assert [one.value for one in sift(events).valid] == ["2.5"]
        gone = [row.event for row in read(file, "".join(
            (*order, corrected("D", "", "20240118101500"))
        )) if isinstance(row, Row)]  # fmt: skip
        assert sift(gone).valid == ()


def test_bytes_that_went_wrong_are_refused_and_never_quoted(file: Path) -> None:
    good = message(msh(), PID, OBR, EDSS, "NTE|1||SECRETNOTE").encode()
    rng = random.Random(0)
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        data[:3] = b"MSH"  # else there is no message at all
        found = read(file, bytes(data))
        told = [flaw.fix for one in found if isinstance(one, RefusedRow) for flaw in one.flaws]
        told += [flaw.column for one in found if isinstance(one, RefusedRow) for flaw in one.flaws]
        assert all("DOE" not in text and "SECRET" not in text for text in told)


def test_a_merge_is_made_once_and_heard_once(database: sa.Engine, file: Path) -> None:
    file.write_text(message(msh("ADT^A40"), PID, "MRG|12^^^CLINIC"), newline="")
    heard: list[MergeRow] = []
    refused: list[RefusedRow] = []

    def take() -> Imported:
        return import_events(database, b"k" * 32, file, "me", refused.append, heard.append)

    assert (take(), take()) == (Imported(added=1), Imported(known=1))
    assert [one.patients for one in heard] == [("12", "4711")]
    with database.connect() as connection:
        assert are_one(connection, heard[0].old_key, heard[0].into_key)
    assert not refused
    with database.begin() as connection:
        undo(connection, heard[0].old_key, heard[0].into_key, "a person")
    assert take() == Imported(refused=1), "what somebody took back is not merged again"
    with database.connect() as connection:
        assert not are_one(connection, heard[0].old_key, heard[0].into_key)


def test_the_same_file_twice_adds_nothing(database: sa.Engine, file: Path) -> None:
    file.write_text(message(msh(), PID, OBR, EDSS), newline="")
    refused: list[RefusedRow] = []
    done = [import_events(database, b"k" * 32, file, "me", refused.append, print) for _ in "ab"]
    assert done == [Imported(added=3), Imported(known=3)]
    with database.connect() as connection:
        found = of_patient(connection, patient_key(b"k" * 32, "4711", "CLINIC"))
    assert sorted(one.event.kind for one in found) == ["birth_year", "edss", "sex"]


def test_an_id_of_two_issuers_is_merged_by_neither_also_within_a_file(
    database: sa.Engine, file: Path
) -> None:
    of_two = "".join(message(msh(), f"PID|1||4711^^^{issuer}", OBR, EDSS) for issuer in ("A", "B"))
    merge = message(msh("ADT^A40"), "PID|1||4711", "MRG|12^^^A")
    file.write_text(merge + of_two, newline="")
    refused: list[RefusedRow] = []
    done = import_events(database, b"k" * 32, file, "me", refused.append, print)
    assert done == Imported(added=2, refused=1)
    assert [one.line for one in refused] == [1]


def values(file: Path, *texts: str) -> tuple[list[str], bool]:
    """The EDSS that hold after some messages, and whether they contradict each other."""
    rows = read(file, "".join(texts))
    assert all(isinstance(row, Row) for row in rows)
    found = course([row.event for row in rows if isinstance(row, Row)], [], TODAY)[0]
    return sorted(event.value for event in found.of("edss")), bool(found.contradicted("edss"))


def test_two_corrections_of_one_second_contradict_each_other(file: Path) -> None:
    first = corrected("F", "2.0", "20240115101500")
    same = (corrected("C", value, "20240116100000") for value in ("3.0", "4.0"))
    assert values(file, first, *same) == (["3.0", "4.0"], True)


def test_a_final_result_sent_again_with_another_value_is_not_passed_over(file: Path) -> None:
    texts = (corrected("F", "2.0", "20240115101500"), corrected("C", "3.0", "20240116101500"),
             corrected("F", "3.5", "20240118101500"))  # fmt: skip
    assert values(file, *texts) == (["3.0"], True)


def test_corrections_are_ordered_across_time_zones(file: Path) -> None:
    earlier = corrected("C", "3.0", "20240116100000+0100")
    later = corrected("C", "4.0", "20240116093000+0000")
    assert values(file, later, earlier) == (["4.0"], False)
    (wrong,) = read(file, corrected("C", "3.0", "20240230101500"))
    assert isinstance(wrong, RefusedRow)

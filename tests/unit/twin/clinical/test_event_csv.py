"""A row becomes an event, or is refused with its line, its column and the fix."""

from datetime import date
from pathlib import Path

import pytest

from msnode.errors import Refused
from msnode.twin.clinical.event_csv import COLUMNS, RefusedRow, Row, cells_of, read
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import Event

TODAY = date(2026, 11, 28)
HEADER = "patient,date,kind,value,unit,detail,note,identifier,replaces\n"


def rows(tmp_path: Path, text: str | bytes) -> list[Row | RefusedRow]:
    file = tmp_path / "events.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read(file, lambda patient, issuer: f"{patient}|{issuer}", TODAY))


def one(tmp_path: Path, line: str) -> Row | RefusedRow:
    (row,) = rows(tmp_path, HEADER + line + "\n")
    return row


def refused(tmp_path: Path, line: str) -> list[str]:
    row = one(tmp_path, line)
    assert isinstance(row, RefusedRow), "the row was taken"
    assert row.line == 2
    return [flaw.column for flaw in row.flaws]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("0", "0.0"), ("1", "1.0"), ("1.5", "1.5"), ("6.50", "6.5"), ("10", "10.0")],
)
def test_an_edss_has_one_spelling(tmp_path: Path, given: str, kept: str) -> None:
    row = one(tmp_path, f"4711,2020-01-01,edss,{given},,,,,")
    assert isinstance(row, Row)
    assert row.event == Event("edss", date(2020, 1, 1), kept)
    assert row.patient_key == "4711|"


@pytest.mark.parametrize(
    "value", ["0.5", "11", "10.5", "2.3", "-1", "", "4,5", "1e0", "nan", "four"]
)
def test_an_impossible_edss_is_refused(tmp_path: Path, value: str) -> None:
    assert refused(tmp_path, f'4711,2020-01-01,edss,"{value}",,,,,') == ["value"]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (",2020-01-01,relapse,,,,,,", "patient"),
        ("4711,2026-11-29,relapse,,,,,,", "date"),
        ("4711,1899-12-31,relapse,,,,,,", "date"),
        ("4711,2020-02-30,relapse,,,,,,", "date"),
        ("4711,2020-13,relapse,,,,,,", "date"),
        ("4711,202001,relapse,,,,,,", "date"),
        ("4711,2027,relapse,,,,,,", "date"),
        ("4711,0000,relapse,,,,,,", "date"),
        ("4711,2020,edss,2,,,,,", "date"),
        ("4711,2020-01,relapse_review,2019-01-01,,,,,", "date"),
        ("4711,2020-W01-1,relapse,,,,,,", "date"),
        ("4711,01.02.2020,relapse,,,,,,", "date"),
        ("4711,,relapse,,,,,,", "date"),
        ("4711,2020-01-01,relaps,,,,,,", "kind"),
        ("4711,2020-01-01,relapse,1,,,,,", "value"),
        ("4711,2020-01-01,t25fw,5.1,,,,,", "unit"),
        ("4711,2020-01-01,t25fw,5.1,min,,,,", "unit"),
        ("4711,2020-01-01,t25fw,180.1,s,,,,", "value"),
        ("4711,2020-01-01,nine_hole_peg,0,s,,,,", "value"),
        ("4711,2020-01-01,nine_hole_peg,20,s,left,,,", "detail"),
        ("4711,2020-01-01,edss,2,points,,,,", "unit"),
        ("4711,2020-01-01,edss,2,,pyramidal=7,,,", "detail"),
        ("4711,2020-01-01,edss,2,,pyramidal=2;pyramidal=2,,,", "detail"),
        ("4711,2020-01-01,edss,2,,walking=2,,,", "detail"),
        ("4711,2020-01-01,relapse,,,severe,,,", "detail"),
        ("4711,2020-01-01,treatment_begun,,,,,,", "value"),
        ("4711,2020-01-01,diagnosis,flu,,,,,", "value"),
        ("4711,,birth_year,2027,,,,,", "value"),
        ("4711,,birth_year,70,,,,,", "value"),
        ("4711,,sex,X,,,,,", "value"),
        ("4711,2020-01-01,enhancing_lesions,1.5,,,,,", "value"),
        ("4711,2020-01-01,relapse_review,2020-01-02,,,,,", "value"),
        ("4711,,withdrawn,,,,,,", "replaces"),
        ("4711,2020-01-01,relapse,,,,,a,a", "identifier"),
        ("4711,2020-01-01,relapse,,,,a\x07b,,", "note"),
        (f"4711,2020-01-01,relapse,,,,,{65 * 'x'},", "identifier"),
        ("4711,2020-01-01,relapse", ""),
        ('4711,2020-01-01,relapse,,,,"open,,', ""),
    ],
)
def test_a_bad_row_is_refused_with_its_column(tmp_path: Path, line: str, column: str) -> None:
    assert refused(tmp_path, line) == [column]


def test_all_that_is_wrong_with_a_row_is_told_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, ",2030-01-01,edss,11,s,,,,") == ["date", "value", "unit", "patient"]


def test_a_fix_quotes_nothing_of_the_row(tmp_path: Path) -> None:
    row = one(tmp_path, "MEIER,MEIER,MEIER,MEIER,MEIER,MEIER,MEIER,MEIER,MEIER")
    assert isinstance(row, RefusedRow)
    assert "MEIER" not in repr(row)


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    text = f'{HEADER}1,2020-01-01,relapse,,,,"a,,\n2,2020-01-01,relapse,,,,,,\n'
    bad, good = rows(tmp_path, text)
    assert isinstance(bad, RefusedRow)
    assert isinstance(good, Row)
    assert (bad.line, good.line) == (2, 3)


def test_what_is_not_utf8_is_refused_by_row(tmp_path: Path) -> None:
    latin = "1,2020-01-01,treatment_begun,Cortisonstoß,,,,,\n".encode("latin-1")
    bad, good = rows(tmp_path, HEADER.encode() + latin + b"2,,sex,F,,,,,\n")
    assert isinstance(bad, RefusedRow)
    assert bad.flaws[0].column == "value"
    assert isinstance(good, Row)


def test_a_spreadsheet_of_another_country_is_read(tmp_path: Path) -> None:
    """A byte order mark, semicolons, carriage returns, capitals, spaces, blank lines."""
    text = "\ufeffPatient; Issuer ;DATE;kind;value\r\n4711; A ;20200101; EDSS ; 2 \r\n;;;;\r\n"
    (row,) = rows(tmp_path, text)
    assert row == Row(2, "4711|A", Event("edss", date(2020, 1, 1), "2.0"))


def test_composed_and_decomposed_letters_are_one_event(tmp_path: Path) -> None:
    text = HEADER + "".join(f"1,2020-01-01,relapse,,,,{n},,\n" for n in ("\u00e9", "e\u0301"))
    first, second = rows(tmp_path, text)
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert first.event.identity == second.event.identity


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "lacks patient"),
        ("patient,date\n", "lacks kind"),
        ("patient,date,kind,name\n", "column 4 is unknown"),
        ("patient,date,kind,kind\n", "kind stands twice"),
    ],
)
def test_a_header_that_is_none_refuses_the_file(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        rows(tmp_path, header)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="line 2 has"):
        rows(tmp_path, HEADER + "x" * 100_000)


def test_every_kind_can_be_written_and_read_again(tmp_path: Path) -> None:
    values = {
        "edss": "2.5", "relapse_review": "2019-01-01", "treatment_begun": 'a, "b"; c',
        "treatment_stopped": "a", "diagnosis": "RRMS", "birth_year": "1970", "sex": "F",
        "ocb": "present", "kflc_index": "12.3", "spinal_cord_lesion": "absent",
        "optic_nerve_lesion": "present", "t25fw": "5.1", "nine_hole_peg": "300",
        "enhancing_lesions": "0",
    }  # fmt: skip
    events = [
        Event(
            name, date(2020, 1, 1), values.get(name, ""), kind.unit, note="n;\u00e9", replaces="r"
        )
        for name, kind in KINDS.items()
    ]
    file = tmp_path / "out.csv"
    import csv

    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(cells_of(event, "4711", "A") for event in events)
    found = rows(tmp_path, file.read_bytes())
    assert [row.event for row in found if isinstance(row, Row)] == events


@pytest.mark.parametrize(
    ("given", "last"),
    [("2020", date(2020, 12, 31)), ("2020-02", date(2020, 2, 29)), ("2020-02-01", None)],
)
def test_a_date_may_be_a_year_or_a_month(tmp_path: Path, given: str, last: date | None) -> None:
    row = one(tmp_path, f"4711,{given},relapse,,,,,,")
    assert isinstance(row, Row)
    assert (row.event.last, row.event.when) == (last, given)
    assert cells_of(row.event, "4711", "")["date"] == given

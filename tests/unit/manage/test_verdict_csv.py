"""Verdicts by CSV: bad lines are named with the fix, the others taken, again without harm."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from msnode.cli.main import main
from msnode.manage.evidence_cases import cases_of
from msnode.records.uid_hash import uid_hash
from msnode.store import judgements
from tests.evidence import NOON, One, keep, key, node_in

UID_4 = "1.2.840.99.4"
KEY_4 = uid_hash(UID_4)
HEADER = "study,accession,verdict,diagnosis,reader,date\n"


@pytest.fixture
def node(tmp_path: Path) -> tuple[sa.Engine, Path]:
    engine, file = node_in(tmp_path)
    keep(engine, tmp_path, [
        One(key(1), accession="A-1"),
        One(key(2), "absent", 0.1, accession="A-2"),
        One(key(3), "undetermined", 0.5, accession="A-3"),
        One(KEY_4, accession="A-4"),
        One(key(5), accession="A-4"),
    ])  # fmt: skip
    return engine, file


def imported(node: tuple[sa.Engine, Path], text: str, *options: str) -> Result:
    engine, config_file = node
    file = config_file.with_name("verdicts.csv")
    file.write_text(text, encoding="utf-8")
    engine.dispose()
    arguments = ["feedback", "import", str(file), "--config", str(config_file), *options]
    return CliRunner().invoke(main, arguments)


def truths(node: tuple[sa.Engine, Path]) -> dict[str, str]:
    with node[0].connect() as connection:
        return {one.study_key: one.truth for one in cases_of(connection)}


GOOD = HEADER + (
    f"{key(1)},,agree,,R1,2026-03-02\n"
    ",A-2,not_ms,,R1,2026-03-02\n"
    f"1.2.3,,,,,\n"
    ",A-3,,ms,R2,2026-03-05\n"
)


def test_lines_find_their_studies_and_the_same_file_again_adds_nothing(
    node: tuple[sa.Engine, Path],
) -> None:
    text = GOOD.replace("1.2.3,,,,,\n", f"{UID_4},,unsure,,R1,2026-03-02\n")
    first = imported(node, text)
    assert (first.exit_code, first.output) == (
        0, "4 verdict(s) added, 0 known before, 0 refused\n"
    )  # fmt: skip
    again = imported(node, text)
    assert again.output == "0 verdict(s) added, 4 known before, 0 refused\n"
    assert truths(node) == {key(1): "present", key(2): "absent", key(3): "present",
                            KEY_4: "open", key(5): "open"}  # fmt: skip


def test_semicolons_spaces_and_other_orders_are_taken(node: tuple[sa.Engine, Path]) -> None:
    text = "\ufeffdate; Verdict ;reader;accession\n20260302; NOT MS ;R1; A-1 \n\n"
    assert imported(node, text).exit_code == 0
    assert truths(node)[key(1)] == "absent"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{key(1)},,maybe,,R1,2026-03-02", "line 2, verdict: write one of agree,"),
        (f"{key(1)},,,,R1,2026-03-02", "line 2, verdict: give one of"),
        (f"{key(1)},,ms,healthy,R1,2026-03-02", "line 2, diagnosis: write one of ms,"),
        (f"{key(1)},,ms,,,2026-03-02", "line 2, reader: give a pseudonym"),
        (f"{key(1)},,ms,,R1,2.3.26", "line 2, date: "),
        (f"{key(1)},,ms,,R1,{date.today() + timedelta(2)}", "line 2, date: is in the future"),
        (f"{key(9)},,ms,,R1,2026-03-02", "line 2, study: no such study is here"),
        (",A-9,ms,,R1,2026-03-02", "line 2, accession: no such study is here"),
        (",A-4,ms,,R1,2026-03-02", "line 2, accession: 2 studies have it"),
        (f"{key(1)},A-2,ms,,R1,2026-03-02", "line 2, study: no such study is here"),
        (",,ms,,R1,2026-03-02", "line 2, study: give a StudyInstanceUID"),
        (f"{key(3)},,agree,,R1,2026-03-02", "line 2, verdict: the study had a result without"),
        (f"{key(1)},,agree,,R1,2026-02-01", "line 2, verdict: the study had no result yet"),
        (f"{key(1)},,ms,,{'R' * 65},2026-03-02", "line 2, reader: use at most 64"),
        (f'{key(1)},,"ms,,R1,2026-03-02', "line 2: its quotes do not match"),
        (f"{key(1)},,ms,,R1,2026-03-02,more", "line 2: it has 7 cells, the first line 6"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_taken(
    node: tuple[sa.Engine, Path], line: str, told: str
) -> None:
    done = imported(node, f"{HEADER}{line}\n{key(2)},,not_ms,,R1,2026-03-02\n")
    assert done.exit_code == 1
    assert told in done.output
    assert "1 verdict(s) added, 0 known before, 1 refused" in done.output
    assert truths(node)[key(2)] == "absent"


def test_two_lines_of_a_reader_and_day_that_contradict_each_other_are_no_truth(
    node: tuple[sa.Engine, Path],
) -> None:
    lines = f"{key(1)},,ms,,R1,2026-03-02\n{key(1)},,not_ms,,R1,2026-03-02\n"
    done = imported(node, HEADER + lines)
    assert "line 3, verdict: line 2 says otherwise" in done.output


def test_a_later_day_corrects_an_earlier_one(node: tuple[sa.Engine, Path]) -> None:
    lines = f"{key(1)},,not_ms,,R1,2026-03-09\n{key(1)},,ms,,R1,2026-03-02\n"
    assert imported(node, HEADER + lines).exit_code == 0
    assert truths(node)[key(1)] == "absent"


def test_a_dry_run_says_what_would_happen_and_does_nothing(node: tuple[sa.Engine, Path]) -> None:
    done = imported(node, f"{HEADER}{key(1)},,agree,,R1,2026-03-02\n", "--dry-run")
    assert "1 verdict(s) would be added, 0 known before, 0 refused" in done.output
    with node[0].connect() as connection:
        assert judgements.every(connection) == []


def test_nothing_of_a_line_is_printed_and_no_reader_is_kept_by_name(
    node: tuple[sa.Engine, Path],
) -> None:
    done = imported(node, f"{HEADER}{key(1)},,nonsense-word,,Dr Eva Lee,2026-03-02\n"
                          f"{key(2)},,ms,,Dr Eva Lee,2026-03-02\n")  # fmt: skip
    assert "nonsense" not in done.output
    assert "Lee" not in done.output
    with node[0].connect() as connection:
        [one] = judgements.every(connection)
    assert len(one.reader) == 16
    assert one.given_at > NOON

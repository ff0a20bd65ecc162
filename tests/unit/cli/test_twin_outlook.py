"""`msnode twin`: what to expect, the course, score, similar patients, merges."""

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from PIL import Image

from msnode.store.database import (
    open_database,
    patient_merges,
)
from msnode.twin import Twin
from msnode.twin.expect.priors import load_priors
from msnode.twin.expectations import Expectations
from tests.unit.cli.twin_node import RECORD, given, rows, run, with_study


def test_show_tells_what_to_expect_and_what_it_rests_on(node: Path) -> None:
    given(node, RECORD)
    with_study(node)
    told = json.loads(
        run(node, "show", "4711", "--on", "2021-02-01", "--rate", "9", "--json").stdout
    )
    expected = told["expected"]
    assert expected["until"] == "2022-02-01"
    assert expected["new_lesions"]["used"] == ["a" * 16]
    assert expected["changes"] == ["2020-02-01"]
    assert not expected["load"]["is_prior"]
    assert expected["edss"]["expected"]["low"] <= 3 <= expected["edss"]["expected"]["high"]
    assert [one["label"] for one in told["what_if"]] == [
        "if activity goes on as it is believed to be", "if activity stopped",
        "if there were 9 new lesions a year",
    ]  # fmt: skip
    text = run(node, "show", "4711", "--on", "2021-02-01").stdout
    assert "expected by 2022-02-01" in text
    assert "no statement on any treatment" in text


def test_the_course_is_drawn_and_nothing_is_an_error(node: Path) -> None:
    given(node, RECORD + "4712,,,sex,F,,,,,\n")
    with_study(node)
    answer = run(node, "show", "4711", "--png", str(node / "course.png"), "--json")
    assert answer.exit_code == 0, answer.output
    with Image.open(node / "course.png") as drawn:
        assert drawn.width == 2400
    nothing = run(node, "show", "4712", "--png", str(node / "nothing.png"))
    assert nothing.exit_code == 1
    assert "nothing to draw" in nothing.output
    assert not (node / "nothing.png").exists()


def test_priors_that_are_wrong_are_told(node: Path) -> None:
    given(node, RECORD)
    (node / "priors.yaml").write_text("load: 5\n")
    with (node / "msnode.yaml").open("a") as file:
        file.write("expect:\n  priors: priors.yaml\n")
    answer = run(node, "show", "4711")
    assert answer.exit_code == 1
    assert "load: must be keys with values" in answer.output


def test_score_tells_of_a_patient_and_of_all(node: Path) -> None:
    given(node, RECORD + "4711,,2021-02-01,edss,4,,,,,\n")
    with_study(node)
    engine = open_database(f"sqlite:///{node / 'data' / 'msnode.sqlite'}")
    made = Expectations(Twin(engine), load_priors())
    assert made.record("a" * 16, date(2021, 1, 10), "n")
    engine.dispose()
    lines = run(node, "score", "4711", "--json").stdout.splitlines()
    new, load, edss = (json.loads(line) for line in lines)
    assert (new["quantity"], new["number"], new["number_last"]) == ("new lesions", 1, 0)
    assert new["verdict"] == "no better than the population mean so far (n = 1)"
    assert load["verdict"] == "nothing to score yet", "another network outlined it"
    assert (edss["number"], edss["number_last"]) == (1, 1)
    assert run(node, "score", "--json").stdout.splitlines() == lines
    table = run(node, "score").stdout
    assert "nothing to score yet" in " ".join(table.split())
    assert "nothing to score yet" in " ".join(run(node, "score", "4712").stdout.split())


def test_similar_names_nobody_and_says_how_many(node: Path) -> None:
    given(node, RECORD + "4712,,,birth_year,1981,,,,,\n4712,,,sex,F,,,,,\n")
    with_study(node)
    told = json.loads(run(node, "similar", "4711", "--json").stdout)
    assert (told["own"]["patients"], told["published_number"]) == (0, 30)
    assert (told["known"]["load"], told["known"]["edss"], told["known"]["regions"]) == (
        4.25,
        3,
        None,
    )
    assert len(told["published"]) == 10
    assert told["place"]["number"] >= 30
    text = " ".join(run(node, "similar", "4711").stdout.split())
    assert "0 other patients here and 30 published people could be compared" in text
    assert "what became of them is not known" in text
    assert "wanted are a load and the year of birth" in run(node, "similar", "4712").stdout
    assert run(node, "similar", "4713").exit_code == 1


def told(node: Path, *arguments: str) -> dict[str, Any]:
    answer = run(node, "show", *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return dict(json.loads(answer.output))


def test_merged_ids_are_one_patient_for_events_and_studies_until_undone(node: Path) -> None:
    given(node, RECORD + "OLD,A,2020-06-01,relapse,,,,,,\n")
    with_study(node)
    answer = run(node, "merge", "OLD", "4711", "--issuer", "A", "--into-issuer", "HOSPITAL")
    assert answer.exit_code == 0, answer.output
    assert "the first with 1 event(s), 0 study(ies), the second with 7 event(s), 1" in answer.output
    one, other = told(node, "OLD"), told(node, "4711")
    assert one == other
    assert (one["facts"]["relapses"], len(one["imaging"]), one["merged_ids"]) == (1, 1, 1)
    again = run(node, "merge", "4711", "OLD")
    assert again.exit_code == 1
    assert "one patient already" in again.output
    given(node, "OLD,A,2020-12-01,relapse,,,,,,\n")  # what comes later belongs to them, too
    assert told(node, "4711")["facts"]["relapses"] == 2
    wrong = run(node, "merge", "OLD", "4711", "--undo")
    assert "were not merged with each other" in wrong.output
    back = ["OLD", "4711", "--issuer", "A", "--into-issuer", "HOSPITAL", "--undo"]
    assert "two patients again" in run(node, "merge", *back).output
    assert told(node, "4711")["facts"]["relapses"] == 0
    assert told(node, "OLD")["merged_ids"] == 0


def test_a_merge_of_nobody_is_refused_and_one_of_somebody_to_come_is_not(node: Path) -> None:
    assert "nothing is on record of either" in run(node, "merge", "1", "2").output
    assert run(node, "merge", "1", " ").exit_code == 1
    given(node, "1,,,sex,F,,,,,\n")
    assert "one patient already" in run(node, "merge", "1", "1").output
    assert run(node, "merge", "1", "2").exit_code == 0
    given(node, "2,B,2020-12-01,relapse,,,,,,\n")
    assert told(node, "1")["facts"]["relapses"] == 1


def test_who_was_merged_is_forgotten_with_all_ids(node: Path) -> None:
    given(node, RECORD + "OLD,,2020-06-01,relapse,,,,,,\n")
    run(node, "merge", "OLD", "4711")
    copy = node / "data" / "msnode.sqlite.0011.bak"
    with closing(sqlite3.connect(node / "data" / "msnode.sqlite")) as live:
        live.execute("VACUUM INTO ?", (str(copy),))
    assert run(node, "forget", "OLD", "--yes").output.endswith("forgotten, 8 event(s)\n")
    assert rows(node) == []
    engine = open_database(f"sqlite:///{node / 'data' / 'msnode.sqlite'}")
    with engine.connect() as connection:
        assert connection.execute(sa.select(patient_merges)).all() == []
    engine.dispose()
    with closing(sqlite3.connect(copy)) as old:
        for table in "patient_merges", "clinical_events":
            assert old.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)

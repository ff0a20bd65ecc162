"""What readers say of results: every answer is kept, none is changed, mistakes are taken back."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from msnode.manage.feedback_export import export_feedback
from msnode.pages.frame.site import Site
from msnode.records.feedback import Feedback, rejected, standing
from msnode.records.results import Report
from msnode.store import reader_feedback
from tests import clinic_results
from tests.clinic_results import keep_result, revised
from tests.pages_site import as_visitor, site_in

ADDED = {"kind": "add", "slice_number": 5, "column": 100.5, "row": 90, "diameter_mm": 6.5}
REJECTED = {"kind": "reject", "lesion": 2, "reason": "vessel"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return clinic_results.compared(tmp_path_factory.mktemp("study"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


def test_both_databases_keep_answers_and_list_results(
    database_url: str, made: Report, tmp_path: Path
) -> None:
    shared: dict[str, Any] = {"database": database_url, "name": "clinic"}
    with site_in(tmp_path, **(shared if database_url.startswith("postgresql") else {})) as site:
        key = keep_result(site, made)
        with as_visitor(site, "clinician", account="eva") as client:
            for one in (REJECTED, ADDED, {"kind": "note", "note": "a\x00b"}):
                assert say(client, key, one).status_code == 303
            for query in ("", "?show=urgent", "?show=all"):
                assert key in client.get(f"/worklist{query}").text
            assert key in client.post("/worklist", data={"wanted": "doe\x00"}).text
            assert client.post(f"/results/{key}/1/finish").status_code == 303
            assert key not in client.get("/worklist").text
            event = {"kind": "edss", "date": "2024-01-01", "value": "2"}
            assert client.post(f"/patients/{key}/events", data=event).status_code == 303
            page = client.get(f"/patients/{key}").text
            assert "entered here, eva" in page
            assert "outlined lesions rejected: 1; lesions added: 1" in " ".join(page.split())
        assert [one.kind for one in rows(site, key)] == ["reject", "add", "note"]


def say(client: TestClient, key: str, told: Mapping[str, object], generation: int = 1) -> Any:
    return client.post(f"/results/{key}/{generation}/feedback", data=dict(told))


def rows(site: Site, key: str) -> list[Feedback]:
    with site.database.connect() as connection:
        return reader_feedback.of_study(connection, key)


def test_answers_are_kept_with_who_and_when_and_shown(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician", account="eva") as client:
        for one in ({"kind": "agree"}, REJECTED, ADDED, {"kind": "note", "note": "Motion?"}):
            assert say(client, key, one).status_code == 303
        page = client.get(f"/results/{key}").text
    kept = rows(site, key)
    assert [one.kind for one in kept] == ["agree", "reject", "add", "note"]
    assert {one.given_by for one in kept} == {"eva"}
    place = kept[2].place
    assert place is not None
    assert (place.column, place.row, place.slice, place.diameter_mm) == (100.5, 90, 4, 6.5)
    assert rejected(kept) == {2}
    for line in ("Agrees with the result", "Lesion 2 is none", "slice 5", "Motion?"):
        assert line in page
    assert 'data-lesion="2" data-rejected' in page


def test_what_is_taken_back_stays_on_record_and_stands_no_more(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician", account="eva") as client:
        say(client, key, REJECTED)
        number = rows(site, key)[0].number
        back = {"kind": "take_back", "takes_back": number}
        assert say(client, key, back).status_code == 303
        assert say(client, key, back).status_code == 400, "it does not stand any more"
        page = client.get(f"/results/{key}").text
    kept = rows(site, key)
    assert [one.kind for one in kept] == ["reject", "take_back"]
    assert standing(kept) == []
    assert "data-rejected" not in page


def test_a_second_click_says_nothing_more_and_another_reader_is_heard(
    site: Site, made: Report
) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician", account="eva") as client:
        for one in ({"kind": "agree"}, {"kind": "agree"}, REJECTED, REJECTED):
            assert say(client, key, one).status_code == 303
        page = client.get(f"/results/{key}").text
    with as_visitor(site, "clinician", account="ben") as client:
        assert say(client, key, {"kind": "agree"}).status_code == 303
    assert '<button value="agree" disabled>' in page
    said = [(one.kind, one.given_by) for one in rows(site, key)]
    assert said == [("agree", "eva"), ("reject", "eva"), ("agree", "ben")]


def test_what_is_said_after_finishing_is_told_until_it_is_finished_again(
    site: Site, made: Report
) -> None:
    key, warning = keep_result(site, made), "since reading was finished"
    with as_visitor(site, "clinician", account="eva") as client:
        say(client, key, REJECTED)
        client.post(f"/results/{key}/1/finish")
        page = client.get(f"/results/{key}").text
        assert warning not in page
        assert page.index("eva, <time") < page.index('id="newer"'), "at the top, too"
        say(client, key, {"kind": "take_back", "takes_back": rows(site, key)[0].number})
        assert warning in client.get(f"/results/{key}").text
        client.post(f"/results/{key}/1/finish")
        assert warning not in client.get(f"/results/{key}").text


def test_a_lesion_added_after_its_images_have_gone_is_refused_and_says_so(
    site: Site, made: Report
) -> None:
    key = keep_result(site, made, with_images=False)
    with as_visitor(site, "clinician") as client:
        answer = say(client, key, ADDED)
    assert answer.status_code == 409
    assert "It was not put on record" in answer.text
    assert rows(site, key) == []


def test_what_was_said_of_an_earlier_result_names_it(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    keep_result(site, revised(made))
    with as_visitor(site, "clinician", account="eva") as client:
        say(client, key, REJECTED)
        page = client.get(f"/results/{key}").text
    assert "AI result 1: Lesion 2 is none · a vessel · eva" in page
    assert "data-rejected" not in page


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "reject", "lesion": 77, "reason": "vessel"},
        {"kind": "reject", "lesion": 2},
        {"kind": "reject", "lesion": 2, "reason": "boredom"},
        {"kind": "note", "note": " \t"},
        {"kind": "note", "note": "x" * 2001},
        {"kind": "take_back", "takes_back": 1},
        {"kind": "praise"},
        ADDED | {"slice_number": 99},
        ADDED | {"column": 4000},
        ADDED | {"diameter_mm": 0},
        ADDED | {"row": "nan"},
    ],
)
def test_an_answer_about_nothing_is_refused(
    site: Site, made: Report, told: dict[str, object]
) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician") as client:
        assert say(client, key, told).status_code in (400, 422)
    assert rows(site, key) == []


def test_only_a_clinician_with_the_sessions_token_may_answer(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "viewer", "administrator") as client:
        assert say(client, key, {"kind": "agree"}).status_code == 403
        assert client.post(f"/results/{key}/1/finish").status_code == 403
    with as_visitor(site, "clinician") as client:
        del client.headers["X-CSRF-Token"]
        assert say(client, key, {"kind": "agree"}).status_code == 403
    assert rows(site, key) == []


def test_a_finished_reading_keeps_what_stood_and_leaves_the_list(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician", account="eva") as client:
        say(client, key, REJECTED)
        say(client, key, {"kind": "agree"})
        say(client, key, {"kind": "take_back", "takes_back": rows(site, key)[1].number})
        assert client.post(f"/results/{key}/1/finish").status_code == 303
        assert key not in client.get("/worklist").text
        assert "eva" in client.get("/worklist?show=all").text
        say(client, key, {"kind": "note", "note": "later"})
        keep_result(site, revised(made))
        assert "Read before, new result" in client.get("/worklist").text
        page = client.get(f"/results/{key}").text
    with site.database.connect() as connection:
        (verdict,) = reader_feedback.verdicts_of(connection, [key])
    assert [one.kind for one in verdict.stood] == ["reject"]
    assert (verdict.given_by, verdict.generation) == ("eva", 1)
    assert "Said of earlier results" in page
    assert "data-rejected" not in page, "lesions of another result have other numbers"


def test_answers_of_many_at_once_are_all_kept(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician") as client, ThreadPoolExecutor(4) as pool:
        notes = [f"note {number}" for number in range(24)]
        told = [{"kind": "note", "note": note} for note in notes]
        assert {a.status_code for a in pool.map(lambda one: say(client, key, one), told)} == {303}
    assert sorted(one.note for one in rows(site, key)) == sorted(notes)


def test_a_script_gets_the_parts_that_changed(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician") as client:
        client.headers["X-Fragment"] = "reading"
        answer = say(client, key, REJECTED)
    assert answer.status_code == 200
    assert re.findall('<div id="([a-z]+)">', answer.text) == ["lesions", "said"]
    assert "<html" not in answer.text


def test_all_of_it_goes_into_a_file_for_learning(site: Site, made: Report, tmp_path: Path) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician", account="eva") as client:
        say(client, key, REJECTED)
        say(client, key, ADDED)
        say(client, key, {"kind": "take_back", "takes_back": rows(site, key)[0].number})
        client.post(f"/results/{key}/1/finish")
    for name in ("all.csv", "all.json"):
        assert export_feedback(site.database, tmp_path / name) == 4
    with (tmp_path / "all.csv").open() as file:
        told = list(csv.DictReader(file))
    assert [one["kind"] for one in told] == ["reject", "add", "take_back", "finished"]
    assert [one["stands"] for one in told] == ["0", "1", "0", ""]
    assert (told[1]["slice"], told[1]["column"], told[1]["by"]) == ("5", "100.5", "eva")
    assert len(json.loads((tmp_path / "all.json").read_text())) == 4


def test_a_patients_page_says_of_which_results_readers_hold_otherwise(
    site: Site, made: Report
) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "clinician", account="eva") as client:

        def page() -> str:
            return " ".join(client.get(f"/patients/{key}").text.split())

        for one in ({"kind": "agree"}, {"kind": "note", "note": "Motion?"}):
            say(client, key, one)
        assert "Readers hold otherwise" not in page()
        say(client, key, REJECTED)
        say(client, key, {"kind": "not_ms"})
        assert "outlined lesions rejected: 1; not MS</li>" in page()
        for given in rows(site, key)[2:]:
            say(client, key, {"kind": "take_back", "takes_back": given.number})
        assert "Readers hold otherwise" not in page(), "nothing stands any more"
        say(client, key, REJECTED)
        keep_result(site, revised(made))
        assert "Readers hold otherwise" not in page(), "that was said of an older result"

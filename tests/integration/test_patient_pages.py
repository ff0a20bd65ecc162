"""A patient's page: the same record as the command line has, and events entered by hand."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from msnode.manage.event_entry import enter
from msnode.manage.patient_record import record_under
from msnode.manage.patient_view import view_of
from msnode.pages.clinic import patient_page
from msnode.pages.frame.site import Site
from msnode.records.results import Report
from msnode.records.sentences import Text, to
from msnode.store.patients import patient_key
from msnode.twin.rules.rule_result import RuleResult
from tests import clinic_results
from tests.clinic_results import JANE, Patient, keep_result
from tests.pages_site import as_visitor, site_in

EDSS = {"kind": "edss", "date": "2024-02-01", "value": "2.5", "detail": "", "note": "clinic"}
TOLD = (
    EDSS,
    EDSS | {"date": "2023-01-15", "value": "1"},
    {"kind": "relapse", "date": "2023-05"},
    {"kind": "relapse_review", "date": "2024-01-20", "value": "2023-01-01"},
    {"kind": "onset", "date": "2015-03-01"},
    {"kind": "birth_year", "value": "1980"},
    {"kind": "sex", "value": "F"},
    {"kind": "sex", "value": "M"},
    {"kind": "treatment_begun", "date": "2022", "value": "interferon"},
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return clinic_results.compared(tmp_path_factory.mktemp("study"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


@pytest.fixture
def key(site: Site, made: Report) -> str:
    earlier = replace(JANE, study_date="20230110", accession="A-0")
    keep_result(site, replace(made, study_instance_uid="1.2.3"), earlier, with_images=False)
    return keep_result(site, made)


def events(site: Site) -> list[str]:
    record = record_under(site.database, patient_key(site.secret, JANE.patient_id, ""))
    return [f"{e.event.kind} {e.event.when} {e.event.value}" for e in record.events]


def shown(page: str) -> list[str]:
    """The events of the table that hold."""
    found = re.findall(
        r'<tr data-event="(\w+)"><td>(.*?)</td>.*?<td>(.*?)\s*(?:<br>.*?)?</td>', page, re.S
    )
    return [" ".join(one) for one in found]


def test_the_page_has_scans_facts_expectation_and_rules(site: Site, key: str) -> None:
    with as_visitor(site, "viewer", account="eva") as client:
        page = client.get(f"/patients/{key}").text
        picture = client.get(f"/patients/{key}/course.png")
        similar = client.get(f"/patients/{key}/similar").text
    for part in ("2023-01-10", "2024-01-15", "Population alone", "NEDA-3", "DOE, JANE"):
        assert part in page
    assert picture.content.startswith(b"\x89PNG")
    assert "published people" in similar
    assert "Enter an event" not in page, "a viewer enters nothing"
    site.trail.close()
    trail = "".join(one.read_text() for one in (site.config.data / "audit").glob("*"))
    assert "eva" in trail
    assert "P-17" in trail


def test_the_page_says_all_of_the_twin_in_the_readers_language(site: Site, key: str) -> None:
    patient = patient_key(site.secret, JANE.patient_id, "")
    for event in TOLD:
        assert enter(site.database, patient, event, "eva") == ()
    view = view_of(site.database, site.config, patient, date.today())
    with as_visitor(site, "viewer") as client:
        page = client.get(f"/patients/{key}", headers={"accept-language": "de"}).text
    page = html.unescape(page)
    said = [text for one in view.state.rules for text in texts(one)]
    said += [one.why for one in view.state.contradictions]
    said += [one.label for one in view.courses]
    assert len(said) >= 3 * len(view.state.rules) + 3
    for text in said:
        assert to(text, "de") in page
        assert " " not in text or text not in page.replace(to(text, "de"), ""), text


def texts(one: RuleResult) -> list[Text]:
    """What is shown of a rule, but its source."""
    told = one.missing if one.value is None else (one.words,)
    return [one.rule.name, one.rule.definition, *told]


@pytest.mark.parametrize("part", ["course.png", "similar"])
def test_who_fetches_a_part_alone_is_on_the_trail(site: Site, key: str, part: str) -> None:
    with as_visitor(site, "viewer", account=f"eve-{part}") as client:
        assert client.get(f"/patients/{key}/{part}").status_code == 200
    site.trail.close()
    trail = "".join(one.read_text() for one in (site.config.data / "audit").glob("*"))
    assert f"eve-{part}" in trail


def test_an_event_is_entered_corrected_and_withdrawn_and_nothing_is_lost(
    site: Site, key: str
) -> None:
    with as_visitor(site, "clinician", account="eva") as client:
        assert client.post(f"/patients/{key}/events", data=EDSS).status_code == 303
        assert client.post(f"/patients/{key}/events", data=EDSS).status_code == 303
        page = client.get(f"/patients/{key}").text
        assert shown(page) == ["edss 2024-02-01 2.5"]
        assert "entered here, eva" in page
        (first,) = set(re.findall('name="replaces" value="([0-9a-f]{32})"', page))
        correction = EDSS | {"value": "3", "replaces": first}
        assert client.post(f"/patients/{key}/events", data=correction).status_code == 303
        page = client.get(f"/patients/{key}").text
        assert shown(page) == ["edss 2024-02-01 3.0"]
        assert "Replaced or withdrawn: 1" in page
        (second,) = set(re.findall('name="replaces" value="([0-9a-f]{32})"', page))
        again = EDSS | {"value": "4", "replaces": first}
        assert client.post(f"/patients/{key}/events", data=again).status_code == 400
        withdrawn = {"kind": "withdrawn", "replaces": second}
        assert client.post(f"/patients/{key}/events", data=withdrawn).status_code == 303
        assert shown(client.get(f"/patients/{key}").text) == []
    assert events(site) == ["edss 2024-02-01 2.5", "edss 2024-02-01 3.0", "withdrawn  "]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (EDSS | {"value": "0.5"}, 422),
        (EDSS | {"date": "2999-01-01"}, 422),
        (EDSS | {"date": ""}, 422),
        (EDSS | {"kind": "relapse", "value": "bad"}, 422),
        (EDSS | {"detail": "pyramidal=9"}, 422),
        (EDSS | {"note": "\x00"}, 422),
        (EDSS | {"kind": "mood"}, 400),
        ({"kind": "withdrawn"}, 400),
        (EDSS | {"replaces": "0" * 32}, 400),
        (EDSS | {"replaces": "no"}, 422),
    ],
)
def test_what_a_file_could_not_say_cannot_be_entered(
    site: Site, key: str, told: dict[str, str], status: int
) -> None:
    with as_visitor(site, "clinician") as client:
        answer = client.post(f"/patients/{key}/events", data=told)
    assert answer.status_code == status
    assert events(site) == []
    if status == 422 and len(told.get("replaces", "")) != 2:
        assert 'class="wrong"' in answer.text
        value = html.escape(told["value"])
        assert f'value="{value}"' in answer.text, "nothing that was typed is lost"


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"value": "0.5"}, "Wert: einen solchen EDSS gibt es nicht: 0 oder 1.0 bis 10.0"),
        ({"date": "2024-02-30"}, "Datum: diesen Tag gibt es nicht"),
        ({"date": "1979-01-01"}, "Datum: liegt vor der Geburt des Patienten"),
        ({"detail": "pyramidal=9"}, "Einzelheit: pyramidal hat die Grade 0 bis 6"),
        ({"note": "\x00"}, "Notiz: enthält Steuerzeichen"),
    ],
)
def test_what_is_wrong_with_an_event_is_said_in_the_readers_language(
    site: Site, key: str, told: dict[str, str], says: str
) -> None:
    born = {"kind": "birth_year", "value": "1980"}
    assert enter(site.database, patient_key(site.secret, JANE.patient_id, ""), born, "eva") == ()
    german = {"accept-language": "de"}
    with as_visitor(site, "clinician") as client:
        answer = client.post(f"/patients/{key}/events", data=EDSS | told, headers=german)
    assert answer.status_code == 422
    title, wrong = re.findall('<p class="wrong">(.*?)</p>', answer.text)
    assert title.startswith("<strong>")
    assert wrong.startswith(says)


def test_who_may_not_sees_and_enters_nothing(site: Site, key: str, made: Report) -> None:
    other = keep_result(site, replace(made, study_instance_uid="1.2.9"), Patient("P-18"))
    paths = [f"/patients/{other}{more}" for more in ("", "/course.png", "/similar")]
    with as_visitor(site, "viewer") as client:
        assert client.post(f"/patients/{key}/events", data=EDSS).status_code == 403
    with as_visitor(site, "administrator") as client:
        assert {client.get(path).status_code for path in paths} == {403}
    with as_visitor(site, "clinician", via="link", study_key=key) as client:
        assert client.get(f"/patients/{key}").status_code == 200
        assert {client.get(path).status_code for path in paths} == {404}
        assert client.post(f"/patients/{other}/events", data=EDSS).status_code == 404
        linked = re.findall("/results/([0-9a-f]{16})", client.get(f"/patients/{key}").text)
        assert set(linked) == {key}, "of the other study no link"
    assert events(site) == []


def test_without_patients_there_is_no_such_page(tmp_path: Path, made: Report) -> None:
    with site_in(tmp_path, {"patients": False}) as site:
        key = keep_result(site, made)
        with as_visitor(site, "clinician") as client:
            for path in ("", "/course.png", "/similar"):
                assert client.get(f"/patients/{key}{path}").status_code == 404
            assert client.post(f"/patients/{key}/events", data=EDSS).status_code == 404


def test_a_study_of_nobody_has_no_patient(site: Site, made: Report) -> None:
    key = keep_result(site, made, Patient(patient_id=""))
    with as_visitor(site, "viewer") as client:
        assert client.get(f"/patients/{key}").status_code == 404
        assert "/patients/" not in client.get(f"/results/{key}").text


def test_an_id_of_several_issuers_tells_what_is_certain_and_says_so(
    site: Site, made: Report
) -> None:
    for number, issuer in enumerate(("A", "B", "")):
        key = keep_result(site, replace(made, study_instance_uid=f"1.2.{number}"),
                          replace(JANE, issuer=issuer))  # fmt: skip
    with as_visitor(site, "viewer") as client:
        page = client.get(f"/patients/{key}").text
    assert "several issuers" in page


def test_hostile_text_of_events_is_text(site: Site, key: str) -> None:
    note = {
        "kind": "treatment_begun",
        "date": "2020",
        "value": "<b>x</b>",
        "note": "<script>1</script>",
    }
    with as_visitor(site, "clinician") as client:
        assert client.post(f"/patients/{key}/events", data=note).status_code == 303
        page = client.get(f"/patients/{key}").text
    assert "<script>1" not in page
    assert "<b>x" not in page


def test_who_asks_for_similar_patients_meanwhile_is_told_to_ask_again(site: Site, key: str) -> None:
    with as_visitor(site, "viewer") as client, patient_page.ONE_AT_A_TIME:
        answer = client.get(f"/patients/{key}/similar")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert client.get(f"/patients/{key}").status_code == 200


def test_a_refusal_is_said_at_the_top_and_leads_to_what_is_wrong(site: Site, key: str) -> None:
    with as_visitor(site, "clinician") as client:
        answer = client.post(f"/patients/{key}/events", data=EDSS | {"value": "3.7"})
    assert answer.status_code == 422
    assert answer.text.index("It was not put on record") < answer.text.index("<h1>")
    assert 'href="#refused"' in answer.text
    assert 'id="refused"' in answer.text
    assert f'action="/patients/{key}/events#refused"' in answer.text, "the browser goes there"
    assert events(site) == []


def test_days_and_numbers_are_taken_as_they_are_typed(site: Site, key: str) -> None:
    with as_visitor(site, "clinician") as client:
        typed = EDSS | {"date": "1.2.2024", "value": "3,5"}
        assert client.post(f"/patients/{key}/events", data=typed).status_code == 303
    assert events(site) == ["edss 2024-02-01 3.5"]

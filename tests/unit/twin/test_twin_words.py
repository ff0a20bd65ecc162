"""What the twin says is said in five languages; in English as it always was."""

import ast
import json
import string
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msnode.twin
from msnode.records.sentences import Sentence, Text, listed, phrases, to
from msnode.report.localised import LANGUAGES
from msnode.twin.clinical.course import Imaging
from msnode.twin.clinical.event_csv import RefusedRow, row_of
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import Event
from msnode.twin.patient_state import PatientState, state
from tests.unit.twin.test_state_laws import ON, SCANS, records, vague_events

SOURCES = sorted(Path(msnode.twin.__file__ or "").parent.rglob("*.py"))
SAME = {"found_region", "listed", "all_of", "in_period"}
"""Phrases that are values alone."""


def made() -> Iterator[tuple[str, set[str]]]:
    """Each sentence that the program makes by a literal code, with the names of its values."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Sentence":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    yield str(code.value), {str(one.arg) for one in node.keywords}


def placeholders(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}


def test_every_phrase_that_is_said_exists_and_gets_its_values() -> None:
    english = phrases("en")
    said = list(made())
    assert len(said) > 60
    for code, values in said:
        assert placeholders(english[code]) == values, code
    assert {f"event_{kind}" for kind in KINDS} <= english.keys()


@pytest.mark.parametrize("language", ["de", "fr", "es", "nl"])
def test_every_phrase_is_translated(language: str) -> None:
    english, other = phrases("en"), phrases(language)
    codes = {code for code, _ in made() if " " in english[code]} - SAME
    assert [code for code in codes if other[code] == english[code]] == []


def texts(found: PatientState) -> Iterator[Text]:
    """All that is said of a patient, but names of persons' choosing and sources."""
    yield from (one.why for one in found.contradictions)
    for one in found.rules:
        yield from (one.rule.definition, one.words, *one.missing)
        if isinstance(one.value, str):
            yield one.value


@given(records() | st.lists(vague_events(), max_size=10), SCANS)
def test_all_that_is_said_of_a_patient_is_said_in_every_language(
    record: list[Event], studies: list[Imaging]
) -> None:
    for text in texts(state(record, studies, ON)):
        assert isinstance(text, Sentence), text
        assert all(to(text, language) for language in LANGUAGES)


WRONG: list[dict[str, str]] = [
    *({"kind": kind, "value": "?" * 300, "unit": KINDS[kind].unit} for kind in KINDS),
    *({"kind": kind, "value": "\x00", "unit": "mm", "detail": "?"} for kind in KINDS),
    *({"kind": kind, "value": value} for kind in KINDS for value in ("?", "0", "0.5", "99999")),
    *(
        {"kind": "edss", "value": "2", "detail": one}
        for one in ("x=1", "visual=9", "visual=1;visual=2")
    ),
    *({"kind": "relapse", "date": one} for one in ("x", "2020-02-30", "0000", "2999", "1850")),
    {"kind": "relapse_review", "date": "2020-01-01", "value": "2021-01-01"},
    {"kind": "relapse", "date": "2020", "identifier": "a", "replaces": "a"},
    {"kind": "mood"},
]


@pytest.mark.parametrize("cells", WRONG)
def test_what_is_wrong_with_an_event_is_said_in_every_language(cells: dict[str, str]) -> None:
    refused = row_of(1, {"patient": "p"} | cells, lambda *_: "key", ON)
    assert isinstance(refused, RefusedRow)
    for flaw in refused.flaws:
        assert isinstance(flaw.fix, Sentence), flaw
        assert len({to(flaw.fix, language) for language in LANGUAGES}) > 1


def test_a_state_is_copied_with_its_languages_and_is_english_as_json() -> None:
    found = state([Event("onset", ON)], [], ON)
    told: dict[str, Any] = asdict(found)
    rule = told["rules"][0]
    assert to(rule["words"], "de") == f"seit {ON}"
    assert json.loads(json.dumps(told, default=str))["rules"][0]["words"] == f"since {ON}"


def test_a_list_has_commas_in_every_language() -> None:
    parts = [Sentence("found_relapses"), Sentence("found_worsening"), "PIRA"]
    assert listed(parts) == "relapse(s), confirmed EDSS worsening, PIRA"
    assert to(listed(parts), "nl") == "schub(s), bevestigde EDSS-verslechtering, PIRA"

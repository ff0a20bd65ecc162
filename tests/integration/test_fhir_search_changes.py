"""What changes at a FHIR R4 server after a search: merged, corrected, recoded, moved, forgotten."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.config import CodeOfKind
from msnode.retention.forget import forget_events
from msnode.service.clinical_search import ClinicalSearch
from msnode.store.merges import merge
from tests.fhir_server import Resource, Server
from tests.integration.fhir_site import (
    asking,
    clinic,
    edss,
    known,
    migrated,
    now,
    patient,
    rows,
    source,
    values,
    with_study,
)


@pytest.fixture
def ehr() -> Iterator[Server]:
    with clinic() as running:
        yield running


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    with migrated(database_url) as made:
        yield made


def test_history_that_comes_into_reach_later_comes_whole(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(patient("5000", "new"))
    ehr.add(edss(1, 4.0, "new"))
    ehr.add(edss(2, 5.0))
    theirs = {"coding": [{"system": "http://loinc.org", "code": "X"}]}
    ehr.add(edss(3, 6.0, code=theirs))
    with_study(tmp_path, engine)
    assert asking(tmp_path, engine, source(ehr.url)).ask()
    assert values(tmp_path, engine) == [5.0]
    link = [{"type": "replaced-by", "other": {"reference": "Patient/new"}}]
    ehr.add(patient("4711", "erika", link=link, meta=now()))
    time.sleep(0.02)
    assert asking(tmp_path, engine, source(ehr.url)).ask()
    assert values(tmp_path, engine) == [4.0, 5.0]
    coded = (CodeOfKind("http://loinc.org", "X", "edss"),)
    time.sleep(0.02)
    assert asking(tmp_path, engine, source(ehr.url, codes=coded)).ask()
    assert values(tmp_path, engine) == [4.0, 5.0, 6.0]
    ehr.asked.clear()
    time.sleep(0.02)
    assert asking(tmp_path, engine, source(ehr.url, codes=coded)).ask()
    assert all("_lastUpdated" in one for one in ehr.asked if "patient=" in one)


def test_a_patient_who_gets_his_identifier_later_has_his_history(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(patient("4711", "erika") | {"identifier": [{"system": "urn:other", "value": "z"}]})
    ehr.add(edss(1, 4.0))
    with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    ehr.add(patient("4711", "erika"))
    time.sleep(0.02)
    assert search.ask()
    assert values(tmp_path, engine) == [4.0]


def test_what_was_refused_is_asked_for_again(
    ehr: Server, engine: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ehr.add(edss(1, 4.0))
    ehr.add(edss(2, 77.0))
    with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    assert values(tmp_path, engine) == [4.0]
    assert "clinical source=ehr refused=1" in caplog.text
    ehr.add(edss(2, 5.0))  # corrected, and still of the same old day
    time.sleep(0.02)
    assert search.ask()
    assert values(tmp_path, engine) == [4.0, 5.0]


@pytest.mark.parametrize("is_first", [True, False])
def test_forgetting_during_a_search_keeps_its_answer_out(
    ehr: Server, engine: sa.Engine, tmp_path: Path, *, is_first: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ehr.add(edss(1, 4.0))
    key = with_study(tmp_path, engine)
    if is_first:
        other = asking(tmp_path, engine, replace(source(ehr.url), name="clinic"))
    else:
        other = asking(tmp_path, engine, source(ehr.url))
    assert other.ask()
    time.sleep(0.02)
    search = asking(tmp_path, engine, source(ehr.url))

    def forgotten(*given: Any) -> list[Resource]:
        found = list(ClinicalSearch._said_of(search, *given))
        assert forget_events(engine, tmp_path, key) == 1
        return found

    monkeypatch.setattr(search, "_said_of", forgotten)
    assert search.ask()
    monkeypatch.undo()
    time.sleep(0.02)
    assert not search.ask()
    assert rows(engine) == 0
    with_study(tmp_path, engine, number=2)
    assert search.ask()
    assert rows(engine) == 0  # what was deleted does not come back


OTHER = {"coding": [{"system": "http://loinc.org", "code": "X"}]}


@pytest.mark.parametrize(
    "change", [{"code": OTHER}, {"subject": {"reference": "Patient/max"}},
               {"dataAbsentReason": {"coding": [{"code": "error"}]}, "valueQuantity": {}}],
)  # fmt: skip
def test_what_is_corrected_to_something_else_is_the_patients_no_more(
    ehr: Server, engine: sa.Engine, tmp_path: Path, change: Resource
) -> None:
    ehr.add(patient("9999", "max"))
    ehr.add(edss(1, 4.0))
    ehr.add(edss(2, 5.0))
    with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    ehr.add(edss(1, 4.0, status="corrected", meta=now(), **change))
    for _ in range(2):
        time.sleep(0.02)
        assert search.ask()
        assert values(tmp_path, engine) == [5.0]
        assert not known(tmp_path, engine, "9999").events
    ehr.add(edss(1, 4.5, status="corrected", meta=now()))
    time.sleep(0.02)
    assert search.ask()
    assert values(tmp_path, engine) == [4.5, 5.0]


def test_what_was_another_patients_is_now_his_whichever_is_asked_for_first(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(patient("9999", "max"))
    ehr.add(edss(1, 4.0))
    with_study(tmp_path, engine)
    with_study(tmp_path, engine, "9999", 2)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    assert search.ask()
    ehr.add(edss(1, 4.0, "max", status="corrected", meta=now()))
    for _ in range(4):
        time.sleep(0.02)
        assert search.ask()
    assert values(tmp_path, engine) == []
    assert [one.value for one in known(tmp_path, engine, "9999").edss()] == [4.0]


def test_what_is_told_of_an_id_that_is_one_with_another_here_stays(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(patient("5000", "new"))
    ehr.add(edss(1, 4.0, "new"))
    ehr.add(edss(2, 5.0))
    keys = with_study(tmp_path, engine), with_study(tmp_path, engine, "5000", 2)
    with engine.begin() as connection:
        merge(connection, *keys, "admin")
    search = asking(tmp_path, engine, source(ehr.url))
    for _ in range(2):
        assert search.ask()
    ehr.add(edss(1, 4.5, "new", status="corrected", meta=now()))
    for _ in range(4):
        time.sleep(0.02)
        assert search.ask()
    assert values(tmp_path, engine) == [4.5, 5.0]


def test_after_forgetting_a_new_study_asks_also_where_the_last_search_failed(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(edss(1, 4.0))
    key = with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    time.sleep(0.02)
    ehr.search_faults = [(503, {})]
    assert search.ask()
    forget_events(engine, tmp_path, key)
    with_study(tmp_path, engine, number=2)
    assert search.ask()

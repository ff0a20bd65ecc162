"""What a clinic knows, searched for at a FHIR R4 server: of our patients alone, once, for ever."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.retention.forget import forget_events
from msnode.store.clinical_searches import LEASE_S, ClinicalSearches, clinical_searches
from tests.fhir_server import Resource, Server
from tests.integration.fhir_site import (
    LOCAL,
    asking,
    clinic,
    edss,
    known,
    migrated,
    now,
    patient,
    rows,
    source,
    with_study,
)

KILLS = int(os.environ.get("MSNODE_KILLS", "3"))


@pytest.fixture
def ehr() -> Iterator[Server]:
    with clinic() as running:
        yield running


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    with migrated(database_url) as made:
        yield made


def test_all_pages_of_a_patient_come_and_changes_follow(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    for number in range(1, 6):
        ehr.add(edss(number, 2.0))
    ehr.add({
        "resourceType": "MedicationStatement", "id": "m", "status": "active",
        "subject": {"reference": "Patient/erika"}, "effectivePeriod": {"start": "2020-02-01"},
        "medicationCodeableConcept": {"text": "ocrelizumab", "coding": [
            {"system": LOCAL, "code": "treatment"}]},
        "meta": {"lastUpdated": "2024-01-01T00:00:00Z"},
    })  # fmt: skip
    with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    assert [one.value for one in known(tmp_path, engine).edss()] == [2.0] * 5
    assert rows(engine) == 7  # one of them is that no end of the treatment is told
    assert any("_start=4" in target for target in ehr.asked)
    assert not any("_lastUpdated" in target for target in ehr.asked)
    ehr.add(edss(3, 3.5, meta=now(), status="amended"))
    time.sleep(0.02)
    assert search.ask()
    assert [one.value for one in known(tmp_path, engine).edss()] == [2.0, 2.0, 3.5, 2.0, 2.0]
    assert rows(engine) == 8
    assert any("_lastUpdated=ge" in target for target in ehr.asked)


def test_nothing_of_anybody_else_is_taken_whatever_the_source_answers(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(patient("9999", "max"))
    lies = [edss(1, 9.0, "max"), edss(2, 2.0), 7, {"resourceType": "Observation", "id": "x"}]
    entries = [one if one == 7 else {"resource": one} for one in lies]
    page: Resource = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    both = [{"resource": patient("9999", "max")}, {"resource": patient("4711", "erika")}]
    ehr.search_faults = [(200, page | {"entry": both}), (200, page)]
    with_study(tmp_path, engine)
    assert asking(tmp_path, engine, source(ehr.url)).ask()
    assert [one.value for one in known(tmp_path, engine).edss()] == [2.0]
    assert not known(tmp_path, engine, "9999").events
    assert not any("Patient/9999" in target or "patient=max" in target for target in ehr.asked)


def test_a_merged_patient_is_followed(ehr: Server, engine: sa.Engine, tmp_path: Path) -> None:
    link = [{"type": "replaced-by", "other": {"reference": "Patient/new"}}]
    ehr.add(patient("4711", "erika", link=link))
    ehr.add(patient("5000", "new"))
    ehr.add(edss(1, 4.0, "new"))
    with_study(tmp_path, engine)
    assert asking(tmp_path, engine, source(ehr.url)).ask()
    assert [one.value for one in known(tmp_path, engine).edss()] == [4.0]


def test_who_was_replaced_at_another_server_is_not_followed_here(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    link = [{"type": "replaced-by", "other": {"reference": "https://b.example/fhir/Patient/max"}}]
    ehr.add(patient("4711", "erika", link=link))
    ehr.add(patient("9999", "max"))
    ehr.add(edss(1, 9.0, "max"))
    with_study(tmp_path, engine)
    assert asking(tmp_path, engine, source(ehr.url)).ask()
    assert not known(tmp_path, engine).edss()
    assert not known(tmp_path, engine, "9999").events


ELSEWHERE = {"relation": "next", "url": "http://127.0.0.1:1/steal"}
PAGE: Resource = {"resourceType": "Bundle", "type": "searchset", "entry": []}


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        ((503, {}), "ehr answers HTTP 503 Service Unavailable"),
        ((401, {}), "ehr answers HTTP 401 Unauthorized"),
        ((200, {"resourceType": "Patient"}), "ehr does not answer with a Bundle in JSON"),
        ((200, PAGE | {"type": "collection"}), "ehr answers a search with no searchset"),
        ((200, PAGE | {"entry": {}}), "ehr answers a search with no searchset"),
        ((200, PAGE | {"link": [ELSEWHERE]}), "ehr names a next page that is not its own"),
        ((200, PAGE | {"link": [{"relation": "next", "url": "_search"}]}),
         "ehr answers a search with pages without end"),
    ],
)  # fmt: skip
def test_a_source_that_fails_or_lies_is_asked_again(
    ehr: Server, engine: sa.Engine, tmp_path: Path, fault: Any, detail: str
) -> None:
    ehr.add(edss(1, 2.0))
    ehr.search_faults = [fault]
    with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    with engine.connect() as connection:
        row = connection.execute(sa.select(clinical_searches)).one()
    assert (row.failures, row.since, row.detail) == (1, None, detail)
    time.sleep(0.05)
    assert search.ask()
    assert [one.value for one in known(tmp_path, engine).edss()] == [2.0]


def test_hours_and_rate_are_kept(ehr: Server, engine: sa.Engine, tmp_path: Path) -> None:
    with_study(tmp_path, engine)
    with_study(tmp_path, engine, "4712", 2)
    later = datetime.now() + timedelta(hours=2)
    closed = f"{later:%H:%M}-{later + timedelta(hours=1):%H:%M}"
    assert not asking(tmp_path, engine, source(ehr.url, hours=closed)).ask()
    slow = asking(tmp_path, engine, source(ehr.url, per_hour=1, every_s=900.0))
    assert [slow.ask(), slow.ask()] == [True, False]
    free = asking(tmp_path, engine, source(ehr.url, every_s=900.0))
    assert [free.ask(), free.ask()] == [True, False]


def test_one_host_asks_for_a_patient_and_a_new_study_asks_at_once(
    engine: sa.Engine, tmp_path: Path
) -> None:
    key = with_study(tmp_path, engine)
    one, other = ClinicalSearches(engine, "ehr"), ClinicalSearches(engine, "ehr")
    now = time.time()
    due = one.begin(now)
    assert due is not None
    assert (due.patient_key, due.path, due.since) == (key, "1.dcm", None)
    assert other.begin(now) is None
    again = other.begin(now + LEASE_S)  # whoever had it was killed
    assert again is not None
    other.end(again, now + LEASE_S + 10_000, began=now + 1)
    assert one.begin(now + LEASE_S + 5000) is None
    with engine.begin() as connection:  # a study comes
        connection.execute(sa.text("UPDATE studies SET first_at = first_at + 2000"))
    assert one.begin(now + LEASE_S + 5000) is not None


def test_what_was_forgotten_does_not_come_back_by_itself(
    ehr: Server, engine: sa.Engine, tmp_path: Path
) -> None:
    ehr.add(edss(1, 2.0))
    key = with_study(tmp_path, engine)
    search = asking(tmp_path, engine, source(ehr.url))
    assert search.ask()
    assert forget_events(engine, tmp_path, key) == 1
    time.sleep(0.02)
    assert not search.ask()
    assert rows(engine) == 0


def test_whoever_is_killed_asks_again_and_doubles_nothing(
    ehr: Server, engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(int(os.environ.get("MSNODE_SEED", "7")))
    with_study(tmp_path, engine)
    command = [sys.executable, "-m", "tests.integration.fhir_site", str(tmp_path), database_url]
    for number in range(1, KILLS + 1):
        ehr.add(edss(number % 6 + 1, number % 9 / 2 + 1, id=f"e{number}", meta=now(),
                     effectiveDateTime=f"{2000 + number}-01-01"))  # fmt: skip
        process = subprocess.Popen([*command, ehr.url], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if number % 2:
            process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE clinical_searches SET due_at = 0"))
    assert asking(tmp_path, engine, source(ehr.url)).ask()
    assert len(known(tmp_path, engine).edss()) == rows(engine) == KILLS

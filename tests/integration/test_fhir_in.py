"""Bundles of FHIR R4 that others post: on record before they are answered, once, whatever comes."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import date
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode import config
from msnode.receive import WebListener
from msnode.store.database import clinical_events, open_database, patient_merges
from msnode.store.patients import patient_key, patient_secret
from msnode.twin.clinical.course import Course, course
from msnode.twin.clinical.event_store import of_patient
from tests.fhir_server import flaws
from tests.integration.fhir_intake_host import FEED, listening

KILLS = int(os.environ.get("MSNODE_KILLS", "3"))
SYSTEM = "urn:oid:1.2.3"
TYPE = "application/fhir+json"
Resource = dict[str, Any]


class Node:
    """A listener, and what is on record there."""

    def __init__(self, folder: Path, url: str, web: config.Dicomweb, **limits: float) -> None:
        self.folder = folder
        self.engine = open_database(url)
        self.listener: WebListener = listening(folder, url, web, **limits)
        self.port = self.listener.port

    def course(self, patient: str = "4711") -> Course:
        key = patient_key(patient_secret(self.folder / "patient.key"), patient, "")
        with self.engine.connect() as connection:
            events = [one.event for one in of_patient(connection, key)]
        return course(events, [], date.today())[0]

    def edss(self, patient: str = "4711") -> list[float]:
        found = self.course(patient)
        assert not found.contradicted("edss")
        return [one.value for one in found.edss()]

    def number(self) -> int:
        with self.engine.connect() as connection:
            query = sa.select(sa.func.count()).select_from(clinical_events)
            return connection.scalar(query) or 0

    def post(self, content: Any, **headers: str) -> tuple[int, Resource]:
        return post(self.port, content, **headers)


Start = Callable[..., Node]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Node] = []

    def started(feed: config.FhirReceive = FEED, url: str = "", **more: Any) -> Node:
        folder = tmp_path / f"data{len(running)}"
        folder.mkdir()
        callers = more.pop("callers", ())
        web = config.Dicomweb(port=0, fhir=feed, callers=callers)
        url = url or f"sqlite:///{folder / 'msnode.sqlite'}"
        running.append(Node(folder, url, web, **more))
        return running[-1]

    yield started
    for node in running:
        node.listener.stop(1.0)
        node.engine.dispose()


def exchange(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, Resource]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        assert response.getheader("Content-Type") == TYPE
        return response.status, json.loads(text or b"{}")


def post(port: int, content: Any, **headers: str) -> tuple[int, Resource]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(port, "POST", "/fhir", body, {"Content-Type": TYPE} | given)


def bundle(*resources: Any, kind: str = "batch") -> Resource:
    entries = [one if "resource" in one else {"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def patient(value: str = "4711", id_: str = "p") -> Resource:
    return {"resourceType": "Patient", "id": id_,
            "identifier": [{"system": SYSTEM, "value": value}], "gender": "female",
            "birthDate": "1980-05-01"}  # fmt: skip


def edss(value: float, seen: str = "v1", **more: Any) -> Resource:
    """An EDSS with a version."""
    updated = f"2024-03-0{seen[1:]}T12:00:00Z"
    made = {
        "resourceType": "Observation", "id": "e1", "status": "final",
        "meta": {"lastUpdated": updated},
        "code": {"coding": [{"system": "urn:msnode:twin:kind", "code": "edss"}]},
        "subject": {"identifier": {"system": SYSTEM, "value": "4711"}},
        "effectiveDateTime": "2024-03-01", "valueQuantity": {"value": value, "code": "{score}"},
    }  # fmt: skip
    return made | more


def statuses(answer: Resource) -> list[str]:
    return [entry["response"]["status"][:3] for entry in answer.get("entry", [])]


def test_what_is_posted_is_on_record_and_once(start: Start) -> None:
    node = start()
    condition = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "426373005"}]},
        "onsetDateTime": "2019-05", "recordedDate": "2020-01-01",
    }  # fmt: skip
    treated = {
        "resourceType": "MedicationStatement", "id": "m", "status": "active",
        "subject": {"reference": "Patient/p"}, "effectivePeriod": {"start": "2020-02-01"},
        "medicationCodeableConcept": {"text": "interferon beta-1a"},
        "meta": {"lastUpdated": "2024-01-01T00:00:00+01:00"},
    }  # fmt: skip
    relapse = {
        "resourceType": "Encounter", "id": "r", "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p"}, "period": {"start": "2021-06-01T08:00:00Z"},
        "reasonCode": [{"coding": [{"system": "urn:msnode:twin:kind", "code": "relapse"}]}],
    }  # fmt: skip
    told = bundle(patient(), condition, treated, relapse, edss(2.5))
    for _ in range(2):
        status, answer = node.post(told)
        assert (status, statuses(answer)) == (200, ["200"] * 5)
        assert flaws([answer]) == []
        assert node.number() == 7
    found = node.course()
    kinds = {event.kind for event in found.events}
    assert kinds == {
        "sex", "birth_year", "onset", "diagnosis", "treatment_begun", "relapse", "edss",
    }  # fmt: skip
    assert not found.contradictions
    assert node.edss() == [2.5]


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 2, 1], [2, 3, 1], [3, 1, 2]])
def test_the_last_version_holds_in_any_order_of_arrival(start: Start, order: list[int]) -> None:
    node = start()
    versions = {1: edss(2.0), 2: edss(3.0, "v2"), 3: edss(3.5, "v3", status="corrected")}
    for number in order:
        assert node.post(bundle(versions[number]))[0] == 200
    assert node.edss() == [3.5]
    assert node.post(bundle(edss(3.5, "v4", status="entered-in-error")))[0] == 200
    assert node.edss() == []


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_resource_that_was_another_patients_is_that_patients_no_more(
    start: Start, order: list[int]
) -> None:
    node = start()
    right = edss(4.0, "v2", subject={"identifier": {"system": SYSTEM, "value": "4712"}})
    told = [edss(4.0), right]
    for number in order:
        assert node.post(bundle(told[number]))[0] == 200
    assert (node.edss("4711"), node.edss("4712")) == ([], [4.0])


def test_what_does_not_hold_any_more_is_withdrawn(start: Start) -> None:
    node = start()
    treated = {
        "resourceType": "MedicationStatement", "id": "m", "status": "stopped",
        "subject": {"identifier": {"system": SYSTEM, "value": "4711"}},
        "medicationCodeableConcept": {"text": "natalizumab"},
        "effectivePeriod": {"start": "2020-02-01", "end": "2021-02-01"},
        "meta": {"lastUpdated": "2024-01-01T00:00:00Z"},
    }  # fmt: skip
    node.post(bundle(treated))
    goes_on = treated | {"status": "active", "effectivePeriod": {"start": "2020-02-01"},
                         "meta": {"lastUpdated": "2024-01-02T00:00:00Z"}}  # fmt: skip
    node.post(bundle(goes_on))
    assert {one.kind for one in node.course().events} == {"treatment_begun"}
    before = node.number()
    other = edss(1.0, code={"coding": [{"system": "http://loinc.org", "code": "8480-6"}]})
    status, answer = node.post(bundle(other | {"id": "bp"}))
    assert (status, statuses(answer), node.number()) == (200, ["200"], before)
    (issue,) = answer["entry"][0]["response"]["outcome"]["issue"]
    assert issue["severity"] == "information"


def test_one_bad_entry_costs_a_batch_itself_and_a_transaction_all(start: Start) -> None:
    node = start()
    bad: list[Any] = [7, None, "x", {}, {"resource": 3}, {"resource": {"resourceType": []}}]
    entries = [*bad, {"resource": edss(2.0)}, {"resource": edss(77.0, id="e2")}]
    mixed = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    status, answer = node.post(mixed)
    assert (status, statuses(answer)) == (200, ["422"] * 6 + ["200", "422"])
    assert node.edss() == [2.0]
    assert flaws([answer]) == []
    status, answer = node.post(
        bundle(edss(3.0, id="e3", effectiveDateTime="2024-04-01"), edss(77.0), kind="transaction")
    )
    assert (status, answer["resourceType"]) == (422, "OperationOutcome")
    assert answer["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert "77" not in json.dumps(answer)
    assert node.edss() == [2.0]
    before_birth = edss(3.0, id="e4", effectiveDateTime="1970-01-01")
    status, _ = node.post(bundle(patient(), before_birth, kind="transaction"))
    assert (status, node.edss()) == (422, [2.0])


@pytest.mark.parametrize(
    ("request_", "status"), [({"method": "DELETE", "url": "Observation/e1"}, "422"),
                             ({"method": "PUT", "url": "Observation/e1"}, "200")],
)  # fmt: skip
def test_only_what_is_written_is_taken(start: Start, request_: Any, status: str) -> None:
    node = start()
    _, answer = node.post(bundle({"resource": edss(2.0), "request": request_}))
    assert statuses(answer) == [status]


def test_a_patient_that_was_replaced_is_one_with_the_other(start: Start) -> None:
    node = start()
    node.post(bundle(edss(2.0)))
    other = {"identifier": {"system": SYSTEM, "value": "9999"}}
    old = patient() | {"link": [{"type": "replaced-by", "other": other}]}
    for _ in range(2):
        _, answer = node.post(bundle(old))
        assert statuses(answer) == ["200"], answer
    assert node.edss("9999") == [2.0]
    with node.engine.connect() as connection:
        assert len(connection.execute(sa.select(patient_merges)).all()) == 1


def test_codes_and_issuers_are_those_of_the_site(start: Start) -> None:
    coded = config.CodeOfKind("http://loinc.org", "1-0", "edss")
    issuers = (config.IssuerSystem("HOSPITAL B", "urn:oid:9"),)
    node = start(config.FhirReceive(patient_system=SYSTEM, issuers=issuers, codes=(coded,)))
    theirs = {"coding": [{"system": "http://loinc.org", "code": "1-0"}]}
    unknown = {"identifier": {"system": "urn:other", "value": "4711"}}
    told = bundle(edss(2.0, code=theirs), edss(3.0, id="e2", subject=unknown))
    assert statuses(node.post(told)[1]) == ["200", "422"]
    assert node.edss() == [2.0]


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"", 400, {}),
        (b"{", 400, {}),
        (b"\xff\xfe", 400, {}),
        (b'{"resourceType":"Bundle","type":"batch","entry":[NaN]}', 400, {}),
        (b"[" * 100_000, 400, {}),
        (b'{"resourceType":"Patient"}', 400, {}),
        (b'{"resourceType":"Bundle","type":"history"}', 400, {}),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', 400, {}),
        (b"x" * 9_000_000, 413, {}),
        (b"{}", 415, {"Content_Type": "text/plain"}),
        (b"{}", 415, {"Content_Type": "application/fhir+xml"}),
        (b"{}", 415, {"Content_Encoding": "gzip"}),
        (b"{}", 406, {"Accept": "text/html"}),
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused_with_its_status(
    start: Start, body: bytes, status: int, headers: dict[str, str]
) -> None:
    node = start()
    given, answer = node.post(body, **headers)
    assert (given, answer["resourceType"]) == (status, "OperationOutcome")
    assert flaws([answer]) == []
    assert node.post(bundle(edss(2.0)))[0] == 200


def test_callers_need_the_right(start: Start) -> None:
    callers = (
        config.WebCaller("EHR", token="e" * 20, rights=("fhir",)),
        config.WebCaller("PACS", token="p" * 20),
    )
    node = start(callers=callers)
    told = bundle(edss(2.0))
    assert node.post(told)[0] == 401
    assert node.post(told, Authorization=f"Bearer {'x' * 20}")[0] == 401
    assert node.post(told, Authorization=f"Bearer {'p' * 20}")[0] == 403
    assert node.number() == 0
    assert node.post(told, Authorization=f"Bearer {'e' * 20}")[0] == 200
    with closing(HTTPConnection("127.0.0.1", node.port, timeout=5)) as connection:
        connection.request("POST", "/studies", b"", {"Authorization": f"Bearer {'e' * 20}"})
        assert connection.getresponse().status == 403


def test_the_statement_is_r4s_and_names_what_is_taken(start: Start) -> None:
    node = start()
    status, said = exchange(node.port, "GET", "/fhir/metadata", None, {})
    assert (status, said["fhirVersion"], flaws([said])) == (200, "4.0.1", [])
    kinds = {one["type"] for one in said["rest"][0]["resource"]}
    assert kinds == {"Patient", "Observation", "Condition", "MedicationStatement", "Encounter"}
    assert exchange(node.port, "GET", "/fhir", None, {})[0] == 405
    assert exchange(node.port, "GET", "/fhir/Patient/4711", None, {})[0] == 404


def test_nothing_of_a_patient_is_in_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    node = start()
    caplog.set_level("DEBUG")
    node.post(bundle(patient("SECRET-ID"), edss(77.0)))
    node.post(b'{"SECRET-ID"')
    assert "fhir bundle caller=" in caplog.text
    assert "SECRET-ID" not in caplog.text
    assert "1980" not in caplog.text


def test_who_is_slow_is_cut_and_holds_nobody_up(start: Start) -> None:
    node = start(network_timeout_s=1.0)
    head = b"POST /fhir HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    slow = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(4)]
    for one in slow:
        one.sendall(head + b"Content-Length: 1000\r\n\r\n{")
    began = time.monotonic()
    assert node.post(bundle(edss(2.0)))[0] == 200
    assert time.monotonic() - began < 1.0
    for one in slow:
        one.settimeout(5)
        with suppress(OSError):
            while one.recv(1000):
                pass
        one.close()
    assert node.edss() == [2.0]


WORDS = st.sampled_from([
    "resourceType", "Patient", "Observation", "Condition", "Encounter", "MedicationStatement",
    "identifier", "system", "value", SYSTEM, "4711", "subject", "reference", "Patient/p", "status",
    "final", "code", "coding", "urn:msnode:twin:kind", "edss", "meta", "lastUpdated", "2024-01-01",
    "2024-01-01T00:00:00Z", "effectiveDateTime", "valueQuantity", "link", "other", "type",
    "replaced-by", "request", "method", "period", "start",
]) | st.text(max_size=5)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=20,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A resource of which something is replaced by something else."""
    made = draw(st.sampled_from([patient(), edss(2.0)]))
    return made | {draw(st.sampled_from(sorted(made))): draw(JSON)}


def test_hostile_bundles_get_an_answer_of_r4_and_cost_nobody_else(start: Start) -> None:
    node = start()
    answers: list[Resource] = []
    entries = st.lists(JSON | st.builds(lambda one: {"resource": one}, mutated()), max_size=5)

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(entries | JSON, st.sampled_from(["batch", "transaction", "collection", "message"]))
    def attack(entry: Any, kind: str) -> None:
        status, answer = node.post({"resourceType": "Bundle", "type": kind, "entry": entry})
        assert status in (200, 400, 422)
        answers.append(answer)
        if status == 200:
            assert len(answer.get("entry", [])) == len(entry or [])

    attack()
    assert flaws(answers) == []
    assert node.post(bundle(edss(2.0, "v9")))[0] == 200
    assert node.listener.is_alive


def test_what_was_answered_survives_a_kill_and_is_there_once(
    database_url: str, tmp_path: Path
) -> None:
    """Four clients post and post again; the process is killed at any moment."""
    chance = random.Random(int(os.environ.get("MSNODE_SEED", "7")))
    host = [sys.executable, "-m", "tests.integration.fhir_intake_host", str(tmp_path), database_url]
    acknowledged: set[str] = set()
    posted = iter(range(10**6))
    for _ in range(KILLS):
        process = subprocess.Popen(host, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        clients = [
            threading.Thread(target=partial(_client, port, posted, acknowledged)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        before = len(acknowledged)
        while len(acknowledged) < before + 20:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for client in clients:
            client.join()
    engine = open_database(database_url)
    with engine.connect() as connection:
        notes = list(connection.scalars(sa.select(clinical_events.c.note)))
    engine.dispose()
    assert acknowledged <= set(notes), "an answer was given for what is not on record"
    assert len(notes) == len(set(notes)), "an event is there twice"


def _client(port: int, posted: Iterator[int], acknowledged: set[str]) -> None:
    """Post one event after the other, each twice, until nobody answers."""
    with suppress(OSError, HTTPException):
        while True:
            number = next(posted)
            note = f"note {number}"
            told = bundle(edss(2.0, id=f"e{number}", note=[{"text": note}]), kind="transaction")
            for _ in range(2):
                status, _ = post(port, told)
                assert status == 200
                acknowledged.add(note)

"""Bundles that others post: slow, hostile and killed."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode.store.database import clinical_events, open_database
from tests.fhir_server import flaws
from tests.integration.fhir_posting import SYSTEM, Resource, Start, bundle, edss, patient, post

KILLS = int(os.environ.get("MSNODE_KILLS", "3"))


def test_who_is_slow_is_cut_and_holds_nobody_up(start_fhir: Start) -> None:
    node = start_fhir(network_timeout_s=1.0)
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


def test_hostile_bundles_get_an_answer_of_r4_and_cost_nobody_else(start_fhir: Start) -> None:
    node = start_fhir()
    answers: list[Resource] = []
    entries = st.lists(JSON | st.builds(lambda one: {"resource": one}, mutated()), max_size=5)

    @settings(
        max_examples=int(os.environ.get("MSNODE_EXAMPLES", "120")),
        suppress_health_check=list(HealthCheck),
    )
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

"""Jobs on the pages: why they do not go on, and what an administrator can do about it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.engine.durable import Engine
from msnode.engine.jobs import Job, Jobs
from msnode.errors import MsnodeError, Refused
from msnode.pages.frame.site import Site
from msnode.records.receipt import Receipt
from msnode.records.uid_hash import uid_hash
from msnode.store.database import open_database
from msnode.store.receipts import Receipts
from msnode.store.schema import migrate
from tests.admin_pages import analysed, keep, part10
from tests.pages_site import as_visitor, site_in
from tests.unit.receive.datasets import STUDY, mr

ROOT = Path(__file__).parents[2]
DEAD, WAITING, REFUSED = "d" * 16, "a" * 16, "e" * 16
SAID = "0xA900 <b>not wanted</b>"


def main(url: str) -> None:
    """Leave a study's job that is dead, a delivery that waits, and one that was refused."""
    database = open_database(url)
    migrate(database)

    def report(study: str, *_: object) -> str:
        if study == DEAD:
            raise Refused("no")
        return "absent"

    def deliver(study: str, generation: int, name: str, attempt: int) -> dict[str, Any]:
        retry = study == WAITING
        receipt = Receipt(name, f"2.25.{int(study, 16)}", 0xA900, False, 1, SAID, retry=retry)
        Receipts(database).save(receipt, study, generation)
        if not retry:
            raise Refused("no")
        return {"delivered": False, "pause_s": 3600.0}

    flow: Any = SimpleNamespace(
        destinations={"pacs": None}, report=report, deliver=deliver, finish=lambda *_: None,
        prepare=lambda *_: {"reason": "none", "seconds": 0.1}, fail=lambda *_: None,
    )  # fmt: skip
    engine = Engine(database, "host", flow)
    engine.launch()
    for study in (DEAD, WAITING, REFUSED):
        engine.submit(study, 1)
    jobs, end = Jobs(database), time.monotonic() + 30
    while time.monotonic() < end:
        if jobs.counts().by_state == {"dead": 2, "waiting": 1}:
            os._exit(0)
        time.sleep(0.1)
    os._exit(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with site_in(folder, destinations=[{"name": "pacs", "folder": str(folder / "x")}]) as site:
        leave_jobs(site)
        yield site


def leave_jobs(site: Site) -> None:
    code = "import sys; from tests.integration.test_pages_jobs import main; main(sys.argv[1])"
    command = [sys.executable, "-c", code, site.config.database_url]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)


def test_all_of_it_works_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    with site_in(tmp_path, database=postgresql_url, name="one") as site:
        leave_jobs(site)
        keep(site, mr(PatientName="Doe^Jane", StudyDate="20260102"))
        analysed(site, uid_hash(STUDY))
        with as_visitor(site, "administrator") as client:
            text = client.get("/node").text
            assert "Given-up jobs: 2." in text
            assert 'id="waiting">1<' in text
            for form in ({"words": "doe j"}, {"day": "2026-01-02"}, {"state": "done"}):
                assert uid_hash(STUDY) in client.post("/studies", data=form).text, form
            text = client.get(f"/studies/{uid_hash(STUDY)}").text
            assert "Result of generation 1: pattern absent" in text
            assert WAITING in client.get("/jobs?state=waiting").text
            assert client.get("/quarantine").status_code == 200
            upload = client.post(f"/upload/{'ab' * 16}", content=part10(mr()))
            assert upload.json()["outcome"] == "stored"


def test_jobs_say_why_they_do_not_go_on(site: Site) -> None:
    with as_visitor(site, "administrator") as client:
        waiting = client.get("/jobs?state=waiting").text
        assert "The last attempt failed; the next one comes by itself" in waiting
        assert WAITING in waiting
        assert DEAD not in waiting
        dead = client.get("/jobs?state=dead").text
        assert "No result could be made" in dead
        assert "The destination refused it for good." in dead
        assert "&lt;b&gt;not wanted" in dead
        assert WAITING not in dead
        text = client.get("/node").text
        assert "Given-up jobs: 2." in text
        assert 'id="waiting">1<' in text


def test_several_are_cancelled_and_retried_at_once(site: Site) -> None:
    jobs = Jobs(site.database)
    (waiting,) = jobs.list({"waiting"})
    with as_visitor(site, "administrator") as client:
        form: dict[str, Any] = {"job": [waiting.id], "back": "/jobs"}
        asked = client.post("/jobs/cancel", data=form)
        assert "Jobs that stop before their next step: 1." in asked.text
        assert jobs.get(waiting.id).state == "waiting"
        client.post("/jobs/cancel", data=form | {"confirmed": "true"})
        assert jobs.get(waiting.id).state == "cancelled"
        assert "Somebody cancelled it." in client.get("/jobs?state=cancelled").text
        dead = [job.id for job in jobs.list({"dead"})]
        both = {"job": [waiting.id, *dead], "confirmed": "true", "back": f"/studies/{WAITING}"}
        done = client.post("/jobs/retry", data=both)
        assert done.headers["location"] == f"/studies/{WAITING}?did=retry"
        assert jobs.counts().by_state == {"queued": 3}
        again = client.post("/jobs/retry", data=both)
        assert again.status_code == 409
        assert "nothing to retry" in again.text
    jobs.close()


def test_where_nothing_is_ticked_nothing_is_done_and_that_is_said(site: Site) -> None:
    with as_visitor(site, "administrator") as client:
        for path in ("/jobs/retry", "/jobs/cancel"):
            answer = client.post(path, data={"back": "/jobs"})
            assert answer.headers["location"] == "/jobs?did=nothing"
        for path in ("delete", "take", "messages/delete"):
            answer = client.post(f"/quarantine/{path}", data={})
            assert answer.headers["location"] == "/quarantine?did=nothing"
        assert "Nothing was ticked." in client.get("/quarantine?did=nothing").text


@pytest.mark.parametrize("back", ["//evil.example", "/jobs/../x", "https://evil.example"])
def test_it_leads_back_to_our_own_pages_alone(back: str, site: Site) -> None:
    with as_visitor(site, "administrator") as client:
        form = {"job": "x", "back": back, "confirmed": "true"}
        assert client.post("/jobs/retry", data=form).status_code == 422


def test_two_who_retry_or_resend_at_once_get_one_job(site: Site) -> None:
    """One may also have clicked twice: two deliveries at once would bring a result twice."""
    jobs, both = Jobs(site.database), Barrier(2)
    first = jobs.deliver("f" * 16, 1, "pacs", jobs.next_series("f" * 16, 1, "pacs"))
    with pytest.raises(MsnodeError, match="is under way"):
        jobs.next_series("f" * 16, 1, "pacs")
    assert jobs.deliver("9" * 16, 1, "pacs.b", jobs.next_series("9" * 16, 1, "pacs.b"))
    assert jobs.next_series("9" * 16, 1, "pacs"), "another destination, whose name begins alike"
    with site.database.begin() as connection:
        died = "UPDATE workflow_status SET status = 'ERROR' WHERE workflow_uuid = :id"
        connection.execute(sa.text(died), {"id": first})
    series = [jobs.next_series("f" * 16, 1, "pacs") for _ in range(2)]
    get = jobs.get

    def when_both_have_looked(job_id: str) -> Job:
        found = get(job_id)
        both.wait(10)
        return found

    with ThreadPoolExecutor(2) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "get", when_both_have_looked)
        list(pool.map(jobs.retry, [first, first]))
    (again,) = jobs.of_study("f" * 16)
    assert again.state == "queued"
    assert {jobs.deliver("f" * 16, 1, "pacs", one) for one in series} == {again.id}
    assert jobs.of_study("f" * 16) == [again]
    jobs.close()

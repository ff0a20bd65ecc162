"""The administrator's pages: what they show, to whom, and what can be done on them."""

import json
import math
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from msnode import metrics
from msnode.config import Http
from msnode.manage.checking import check
from msnode.pages.access import sessions
from msnode.pages.admin import live_streams, node_page, node_watch
from msnode.pages.admin.admin_services import Services
from msnode.pages.frame.site import Site
from msnode.records.uid_hash import uid_hash
from msnode.store.database import StudyState, studies
from msnode.store.message_log import Message, Outcome, add
from msnode.web.monitor import Monitor
from tests.admin_pages import HOSTILE, analysed, audited, keep
from tests.pages_site import as_visitor, served, site_in
from tests.unit.receive.datasets import STUDY, mr

KEY = uid_hash(STUDY)
PAGES = (
    "/node",
    "/studies",
    f"/studies/{KEY}",
    "/jobs",
    "/quarantine",
    "/configuration",
    "/upload",
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    archive = {"name": "archive", "folder": str(tmp_path / "archive")}
    with site_in(tmp_path, destinations=[archive], http={"port": 1}) as site:
        yield site


def shown(site: Site, path: str, *roles: Any) -> tuple[int, str]:
    with as_visitor(site, *roles or ("administrator",)) as client:
        answer = client.get(path)
        return answer.status_code, answer.text


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_the_administrators_alone(site: Site, path: str) -> None:
    keep(site, mr())
    assert shown(site, path)[0] == 200
    assert shown(site, path, "viewer", "clinician")[0] == 403


def test_what_images_say_is_shown_as_text(site: Site) -> None:
    keep(site, mr(PatientName=f"{HOSTILE}^x", SeriesDescription=HOSTILE, StudyDescription=HOSTILE,
                  AccessionNumber="<b>", PatientID="<i>"))  # fmt: skip
    for path in ("/studies", f"/studies/{KEY}"):
        text = shown(site, path)[1]
        assert "&lt;script&gt;" in text
        assert "<script>alert" not in text
        assert not {"<b>", "<i>"} & set(text.split()), path
    assert text.count("&lt;script&gt;") >= 3
    title = text[text.index("<title>") : text.index("</title>")]
    assert "script" not in title


def test_without_patients_keys_are_all_there_is(tmp_path: Path) -> None:
    with site_in(tmp_path, {"patients": False}) as site:
        keep(site, mr(PatientName="Roe^Richard", SeriesDescription="t2 of Roe", PatientID="0815"))
        analysed(site, KEY, "not_analysed", "series 't2 of Roe' is none of FLAIR")
        for path in ("/studies", f"/studies/{KEY}"):
            status, text = shown(site, path)
            assert (status, KEY in text) == (200, True)
            assert not [word for word in ("Roe", "0815", STUDY) if word in text]
        with as_visitor(site, "administrator") as client:
            found = client.post("/studies", data={"words": "Roe"}).text
            assert KEY not in found
            assert KEY in client.post("/studies", data={"words": STUDY}).text


@pytest.mark.parametrize(
    "form",
    [
        {"words": "4711"}, {"words": "47"}, {"words": "doe, j"}, {"words": "A-17"},
        {"words": STUDY}, {"words": KEY.upper()}, {"day": "2026-01-02"}, {"state": "receiving"},
        {"words": "Doe", "day": "2026-01-02", "state": "receiving"},
    ],
    ids=str,
)  # fmt: skip
def test_a_study_is_found_by_whatever_is_known_of_it(site: Site, form: dict[str, str]) -> None:
    other = mr(StudyInstanceUID="2.25.9", PatientID="999", PatientName="Roe^Richard",
               AccessionNumber="B", StudyDate="20250101")  # fmt: skip
    keep(site, mr(AccessionNumber="A-17", StudyDate="20260102"), other)
    analysed(site, uid_hash("2.25.9"))
    with as_visitor(site, "administrator", account="anna") as client:
        text = client.post("/studies", data=form).text
    assert KEY in text
    assert uid_hash("2.25.9") not in text
    assert audited(site, "anna", 'ParticipantObjectID="4711"', 'EventActionCode="R"')


def test_many_studies_come_in_pages(site: Site) -> None:
    images = [mr(StudyInstanceUID=f"2.25.{100 + n}") for n in range(52)]
    keep(site, *images)
    keys = {uid_hash(f"2.25.{100 + n}") for n in range(52)}
    with as_visitor(site, "administrator") as client:
        first = client.get("/studies").text
        second = client.post("/studies", data={"offset": "50"}).text
    there = [{key for key in keys if f"/studies/{key}" in text} for text in (first, second)]
    assert list(map(len, there)) == [50, 2]
    assert there[0] | there[1] == keys


def test_a_study_is_analysed_again_when_somebody_says_yes(site: Site) -> None:
    keep(site, mr())
    analysed(site, KEY)
    with as_visitor(site, "administrator", account="anna") as client:
        asked = client.post(f"/studies/{KEY}/redo")
        assert 'name="confirmed"' in asked.text
        assert state_of(site) == (StudyState.DONE, 1)
        done = client.post(f"/studies/{KEY}/redo", data={"confirmed": "true"})
        assert done.headers["location"] == f"/studies/{KEY}?did=redo"
        assert state_of(site) == (StudyState.QUEUED, 2)
        again = client.post(f"/studies/{KEY}/redo", data={"confirmed": "true"})
        assert again.status_code == 409
        assert "its result comes by itself" in client.get(f"/studies/{KEY}").text
    assert audited(site, "anna", 'ParticipantObjectID="4711"', 'EventActionCode="U"')


def test_what_cannot_be_done_says_why(site: Site) -> None:
    keep(site, mr())
    text = shown(site, f"/studies/{KEY}")[1]
    assert "it is under way, its result comes by itself" in text
    assert "there is no result yet" in text
    analysed(site, KEY).unlink()
    text = shown(site, f"/studies/{KEY}")[1]
    assert "the result objects were deleted" in text
    form = {"destination": "archive", "confirmed": "true"}
    with as_visitor(site, "administrator") as client:
        assert client.post(f"/studies/{KEY}/resend", data=form).status_code == 409
        assert client.post("/studies/0123456789abcdef/redo").status_code == 404


def state_of(site: Site) -> tuple[str, int]:
    with site.database.connect() as connection:
        query = sa.select(studies.c.state, studies.c.generation).where(studies.c.study_key == KEY)
        row = connection.execute(query).one()
        return row.state, row.generation


def test_a_node_that_does_not_run_is_said_to(site: Site) -> None:
    text = shown(site, "/node")[1]
    assert "verdict bad" in text
    assert "The node does not answer at 127.0.0.1:1" in text


def test_the_nodes_own_metrics_tell_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_watch, "SAME_START_S", math.inf)  # this process may be old
    monitor = Monitor(Http(port=0), lambda: (True, "all right"), lambda: (True, ""))
    monitor.start()
    try:
        archive = {"name": "archive", "folder": str(tmp_path)}
        settings: Any = {"destinations": [archive], "http": {"port": monitor.port}}
        with site_in(tmp_path, **settings) as site:
            with as_visitor(site, "administrator") as client:
                before = client.get("/node").text
            assert "&lt;b&gt;odd" not in before  # other tests of this process leave their own
            metrics.FAULTS.labels("<b>odd</b>").inc()
            with as_visitor(site, "administrator") as client:
                text = client.get("/node").text
            assert "Results lack a part for a fault of the node: &lt;b&gt;odd" in text
    finally:
        monitor.stop()
        metrics.FAULTS.remove("<b>odd</b>")


def live(url: str, token: str) -> Any:
    request = urllib.request.Request(f"{url}/node/live", headers={"Cookie": f"msnode={token}"})
    return urllib.request.urlopen(request, timeout=10)


def test_the_state_comes_live_until_the_session_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_page, "EVERY_S", 0.02)
    monkeypatch.setattr(node_page, "LOOK_S", 0.05)
    monkeypatch.setattr("msnode.pages.admin.admin_services.FRESH_S", 0.0)
    token = sessions.begin(site, "anna", frozenset({"administrator"}), "oidc")
    with served(site) as url, live(url, token) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert b'id="receiving">0<' in until(answer, b"data: </div>", b'id="receiving"')
        keep(site, mr())
        assert b'id="receiving">1<' in until(answer, b'id="receiving">1<')
        sessions.end(site, token)
        assert b"event: ended" in answer.read()


def until(answer: Any, *words: bytes) -> bytes:
    """What comes until each of these words did."""
    came = b""
    while not all(word in came for word in words):
        line = answer.readline()
        assert line, came
        came += line
    return came


def test_live_pages_are_bounded_and_places_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_page, "EVERY_S", 0.02)
    token = sessions.begin(site, "anna", frozenset({"administrator"}), "oidc")
    with served(site) as url:
        open_ones = [live(url, token) for _ in range(live_streams.OF_ONE)]
        for one in open_ones:
            one.readline()
        with pytest.raises(urllib.error.HTTPError, match="429"):
            live(url, token)
        open_ones.pop().close()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                open_ones.append(live(url, token))
                break
            except urllib.error.HTTPError:
                time.sleep(0.02)
        assert len(open_ones) == live_streams.OF_ONE
        for one in open_ones:
            one.close()


def test_peers_are_asked_when_somebody_wants_it(site: Site, tmp_path: Path) -> None:
    with as_visitor(site, "administrator") as client:
        assert client.post("/node/ask").headers["location"] == "/node?did=asked"
        services: Services = client.app.state.admin  # type: ignore[attr-defined]
        end = time.monotonic() + 5
        while not services.peers.answers and time.monotonic() < end:
            time.sleep(0.01)
        assert "is not there, or may not be written" in client.get("/node").text
        (tmp_path / "archive").mkdir()
        services.peers.ask()
        assert "is not there, or may not be written" not in client.get("/node").text


def test_the_configuration_shows_what_differs_and_no_secret(tmp_path: Path) -> None:
    hook = {"name": "ris", "url": "https://ris.example.org/hook?key=abc", "secret": "topsecret" * 4}
    settings: Any = {"destinations": [hook], "complete": {"quiet_s": 7.0}, "data": "data"}
    with site_in(tmp_path, **settings) as site:
        site.config_file.write_text(yaml.safe_dump({"pages": {"patients": True}} | settings))
        text = shown(site, "/configuration")[1]
        assert "What stands in the file is in force." in text
        assert "topsecret" not in text
        assert "key=abc" not in text
        row = text[text.index(">quiet_s<") :].split("</tr>")[0]
        assert "7.0" in row
        assert "5.0" in row
        site.config_file.write_text("pages: {patients: true}\n")
        assert "The file was changed since the node began" in shown(site, "/configuration")[1]
        site.config_file.write_text("receive: {prot: 1}\n")
        text = shown(site, "/configuration")[1]
        assert "The file cannot be used as it is" in text
        assert "receive.prot" in text


def test_a_check_tells_each_line_or_why_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_text("receive: {prot: 1}\n")
    assert "receive.prot" in check(file).problem
    file.write_text(json.dumps({"data": str(tmp_path / "data"), "lesions": {"bundle": None}}))
    late = check(file, time_s=0.01)
    assert (late.lines, late.late) == ((), 0.01)


def test_quarantined_files_say_why_and_can_be_taken_in_or_deleted(site: Site) -> None:
    keep(site, mr())
    folder = site.config.data / "quarantine" / KEY
    folder.mkdir()
    (image,) = (site.config.data / "instances").glob("*/*.dcm")
    (folder / "torn.dcm").write_bytes(b"nothing")
    (folder / "twin.dcm").write_bytes(image.read_bytes())
    image.unlink()
    with as_visitor(site, "administrator", account="anna") as client:
        text = client.get("/quarantine").text
        assert "It cannot be read as DICOM" in text
        assert "MRI1" in text
        tokens = {name: uid_hash(f"{KEY}/{name}.dcm") for name in ("torn", "twin")}
        assert all(token in text for token in tokens.values())
        asked = client.post("/quarantine/take", data={"file": list(tokens.values())})
        assert 'name="confirmed"' in asked.text
        form = {"file": list(tokens.values()), "confirmed": "true"}
        taken = client.post("/quarantine/take", data=form)
        assert taken.status_code == 409
        assert "torn.dcm" in taken.text
        assert image.exists()
        assert [path.name for path in folder.iterdir()] == ["torn.dcm"]
        client.post("/quarantine/delete", data=form)
    assert list(folder.iterdir()) == []
    assert audited(site, "anna", 'ParticipantObjectID="4711"', 'EventActionCode="U"')
    assert audited(site, "anna", f'"study {KEY}"', 'EventActionCode="D"')


def test_refused_messages_say_what_is_wrong_and_are_deleted(site: Site) -> None:
    fault = {"place": "PID-3", "code": "101", "fix": f"give the patient's ID {HOSTILE}"}
    message = Message("0" * 32, "", "ORU^R01", "1", "ris", time.time(), Outcome.REFUSED, (fault,))
    with site.database.begin() as connection:
        add(connection, message)
    with as_visitor(site, "administrator") as client:
        text = client.get("/quarantine").text
        assert "PID-3 give the patient&#39;s ID &lt;script&gt;" in text
        client.post("/quarantine/messages/delete", data={"message": "0" * 32, "confirmed": "true"})
        assert "No messages wait for you." in client.get("/quarantine").text


def test_many_may_look_at_once(site: Site) -> None:
    """The state is read once for all of them."""
    keep(site, mr())
    with as_visitor(site, "administrator") as client:
        answers: list[int] = []
        get = lambda: answers.append(client.get("/node").status_code)  # noqa: E731
        threads = [threading.Thread(target=get) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert answers == [200] * 8


def test_the_process_of_the_pages_never_loads_pytorch() -> None:
    code = "import sys, msnode.pages.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "torchvision", "matplotlib"} & set(done.stdout.split())

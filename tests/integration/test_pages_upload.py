"""Files that come by the browser: kept as by any other way, or refused in words."""

import http.client
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from msnode.pages.access import sessions
from msnode.pages.admin import uploads
from msnode.pages.frame.site import Site
from msnode.receive.dicomweb.part10_part import Part10Part
from msnode.receive.inbox.inbox import LAG_S, Inbox
from msnode.records.uid_hash import uid_hash
from msnode.store.database import SenderState, instances, senders, studies
from tests.admin_pages import audited, keep, part10
from tests.pages_site import as_visitor, served, site_in
from tests.unit.receive.datasets import STUDY, mr, rows

KEY = uid_hash(STUDY)
BATCH = "ab" * 16


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path, receive={"max_instance_bytes": 100_000}) as site:
        yield site


def upload(site: Site, content: bytes, account: str = "anna") -> tuple[int, dict[str, str]]:
    with as_visitor(site, "administrator", account=account) as client:
        answer = client.post(f"/upload/{BATCH}", content=content)
        return answer.status_code, answer.json()


def test_what_is_answered_with_200_is_safe_and_audited(site: Site) -> None:
    status, said = upload(site, part10(image := mr()))
    assert (status, said["outcome"], said["study"]) == (200, "stored", KEY)
    assert said["said"] == "Taken."
    (row,) = rows(site.database, instances)
    assert row["calling_ae_title"] == "PAGES"
    assert (site.config.data / str(row["path"])).exists()
    assert audited(site, "anna", 'ParticipantObjectID="4711"', 'EventActionCode="U"')
    assert audited(site, "AETITLES=PAGES", "Instances Transferred", STUDY)
    status, said = upload(site, part10(image))
    assert (status, said["said"]) == (200, "Here already.")
    assert parts(site) == []


REFUSALS: dict[str, tuple[bytes, int, str]] = {
    "no DICOM": (b"JFIF" * 100, 415, "This is no DICOM file that can be read."),
    "nothing": (b"", 415, "This is no DICOM file that can be read."),
    "cut off in its header": (part10(mr())[:200], 415, "This is no DICOM file"),
    "of a class that is not accepted":
        (part10(mr(SOPClassUID=CTImageStorage)), 415, "Objects of this kind (SOP class)"),
    "in another transfer syntax": (
        part10(mr()).replace(ExplicitVRLittleEndian.encode(), b"1.2.840.10008.1.9.9", 1), 415,
        "Its transfer syntax is not accepted here."),
    "of another UID than it says": (part10(mr(), sop_instance="1.2.3"), 409, "It contradicts"),
    "of another patient": (part10(mr(PatientID="0815")), 409, "It contradicts itself, or its"),
    "too large": (part10(mr(PixelData=bytes(200_000))), 413, "It is larger than"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused_is_told_in_words_and_not_kept(name: str, site: Site) -> None:
    keep(site, mr())
    content, status, words = REFUSALS[name]
    found, said = upload(site, content)
    assert (found, said["said"].startswith(words)) == (status, True), said
    assert len(rows(site.database, instances)) == 1
    assert parts(site) == []


def test_conflicts_are_treated_as_configured(tmp_path: Path) -> None:
    with site_in(tmp_path, receive={"conflicts": "refuse"}) as site:
        image = mr(SOPInstanceUID="1.2.3")
        assert upload(site, part10(image))[0] == 200
        image.Rows = 4
        status, said = upload(site, part10(image))
        assert (status, said["said"][:13]) == (409, "Other content")


def test_without_room_nothing_is_kept(tmp_path: Path) -> None:
    with site_in(tmp_path, receive={"min_free_bytes": 1 << 60, "warn_free_bytes": 1 << 60}) as site:
        status, said = upload(site, part10(mr()))
        assert (status, said["said"]) == (
            507, "There is no room on the data disk. Make room and upload it again."
        )  # fmt: skip


def test_a_disk_that_fails_acknowledges_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("msnode.receive.inbox.folders.Folders.link", failing)
    status, said = upload(site, part10(mr()))
    assert (status, rows(site.database, instances)) == (507, [])
    assert said["outcome"] == "failed"


def test_without_the_database_nothing_is_acknowledged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise sa.exc.OperationalError("", None, Exception("away"))

    monkeypatch.setattr(Inbox, "_settle", away)
    assert upload(site, part10(mr()))[0] == 503


def test_the_study_waits_until_the_batch_is_over(site: Site) -> None:
    with as_visitor(site, "administrator") as client:
        client.post(f"/upload/{BATCH}", content=part10(mr()))
        assert sender(site) == SenderState.OPEN
        assert client.post(f"/upload/{BATCH}/whole").status_code == 204
        assert sender(site) is None


def test_a_batch_that_was_left_or_stopped_is_broken(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_visitor(site, "administrator") as client:
        client.post(f"/upload/{BATCH}", content=part10(mr()))
        assert sender(site) == SenderState.OPEN
        monkeypatch.setattr(uploads, "IDLE_S", 0.0)
        client.app.state.admin.uploads.end_idle()  # type: ignore[attr-defined]
        assert sender(site) == SenderState.BROKEN


def sender(site: Site) -> str | None:
    """What is on record of who sends the study, once it is written."""
    before: list[Any] = []
    for _ in itertools.repeat(None, 100):
        time.sleep(2 * LAG_S)
        found = [str(row["state"]) for row in rows(site.database, senders)]
        if found == before and rows(site.database, studies):
            return found[0] if found else None
        before = found
    return None


def connected(site: Site, url: str, length: int) -> http.client.HTTPConnection:
    """A request of somebody who is logged in, whose body is still to come."""
    token = sessions.begin(site, "anna", frozenset({"administrator"}), "oidc")
    connection = http.client.HTTPConnection(url.partition("://")[2])
    connection.putrequest("POST", f"/upload/{BATCH}")
    connection.putheader("Cookie", f"msnode={token}")
    connection.putheader("X-CSRF-Token", sessions.csrf_of(token))
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    return connection


def test_who_goes_away_in_between_leaves_nothing(tmp_path: Path) -> None:
    content = part10(mr(PixelData=bytes(2_000_000)))
    with site_in(tmp_path) as site, served(site) as url:
        connection = connected(site, url, len(content))
        connection.send(content[:-10])
        assert soon(lambda: parts(site))
        connection.close()
        assert soon(lambda: not parts(site))
        assert rows(site.database, instances) == []


def test_a_large_file_is_never_whole_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0
    plain = Part10Part.write

    def write(self: Any, fragment: memoryview) -> None:
        nonlocal longest
        longest = max(longest, len(fragment))
        plain(self, fragment)

    monkeypatch.setattr(Part10Part, "write", write)
    content = part10(mr(PixelData=bytes(20_000_000)))
    with site_in(tmp_path) as site, served(site) as url:
        connection = connected(site, url, len(content))
        connection.send(content)
        assert connection.getresponse().status == 200
        connection.close()
    assert 0 < longest < 1_000_000


def parts(site: Site) -> list[Path]:
    return list((site.config.data / "incoming").glob("*/*.part"))


def soon(condition: Callable[[], object]) -> bool:
    """Whether it comes true within some seconds."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def test_more_files_at_once_than_can_be_are_put_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "AT_ONCE", 0)
    with as_visitor(site, "administrator") as client:
        answer = client.post(f"/upload/{BATCH}", content=part10(mr()))
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


@pytest.mark.parametrize("roles", [("viewer",), ("clinician", "viewer")])
def test_nobody_else_uploads(roles: tuple[Any, ...], site: Site) -> None:
    with as_visitor(site, *roles) as client:
        assert client.post(f"/upload/{BATCH}", content=part10(mr())).status_code == 403
        del client.headers["X-CSRF-Token"]
        assert client.post(f"/upload/{BATCH}", content=part10(mr())).status_code == 403
    assert rows(site.database, instances) == []

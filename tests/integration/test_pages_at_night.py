"""The administrator's pages when two work at once, or when the configuration has moved on."""

import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from msnode.deliver.result_places import SIGNAL
from msnode.errors import MsnodeError
from msnode.manage import quarantine_list
from msnode.manage.quarantine_list import KeptAside, QuarantineFiles
from msnode.manage.repeats import resend
from msnode.pages.access import sessions
from msnode.pages.admin import node_page
from msnode.pages.frame.site import Site
from msnode.records.uid_hash import uid_hash
from tests.admin_pages import analysed, audited, keep
from tests.pages_site import as_visitor, served, site_in, visiting
from tests.unit.receive.datasets import STUDY, mr

KEY = uid_hash(STUDY)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path, http={"port": 1}) as site:
        yield site


def shown(site: Site, path: str) -> str:
    with as_visitor(site, "administrator") as client:
        return client.get(path).text


def test_a_file_that_somebody_else_deals_with_meanwhile_keeps_no_other_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(site, mr())
    folder = site.config.data / "quarantine" / KEY
    folder.mkdir()
    (image,) = (site.config.data / "instances").glob("*/*.dcm")
    for name in ("first.dcm", "second.dcm"):
        (folder / name).write_bytes(image.read_bytes())
    image.unlink()
    found = QuarantineFiles.found

    def late(self: QuarantineFiles, tokens: Collection[str]) -> Iterator[KeptAside]:
        kept = list(found(self, tokens))
        (folder / "first.dcm").unlink()
        yield from kept

    monkeypatch.setattr(QuarantineFiles, "found", late)
    tokens = [uid_hash(f"{KEY}/{name}.dcm") for name in ("first", "second")]
    with as_visitor(site, "administrator", account="anna") as client:
        form = {"file": tokens, "confirmed": "true"}
        taken = client.post("/quarantine/take", data=form)
    assert taken.headers["location"] == "/quarantine?did=taken"
    assert image.exists()
    assert list(folder.iterdir()) == []
    assert audited(site, "anna", 'EventActionCode="U"')


def test_what_was_never_made_for_a_destination_is_not_sent_to_it(tmp_path: Path) -> None:
    """A webhook that was configured after the result: all attempts would be in vain."""
    hook = {"name": "ris", "url": "http://127.0.0.1:9/", "secret": "0" * 32}
    with site_in(tmp_path, destinations=[hook], http={"port": 1}) as site:
        keep(site, mr())
        analysed(site, KEY)
        text = shown(site, f"/studies/{KEY}")
        assert "nothing was made for this destination" in text
        with pytest.raises(MsnodeError, match="msnode redo"):
            resend(site.config, site.database, KEY, "ris")
        (site.config.data / "work" / KEY / "1" / SIGNAL).write_text("{}")
        assert "nothing was made for this destination" not in shown(site, f"/studies/{KEY}")


def test_a_live_page_does_not_stay_green_while_the_database_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_page, "EVERY_S", 0.02)
    token = sessions.begin(site, "anna", frozenset({"administrator"}), "oidc")
    cookie = {"Cookie": f"msnode={token}"}
    seen = node_page._fragment
    away = threading.Event()

    def fragment(*told: Any) -> str:
        if away.is_set():
            raise sa.exc.OperationalError("", {}, Exception())
        return seen(*told)

    monkeypatch.setattr(node_page, "_fragment", fragment)
    with (
        served(site) as url,
        httpx2.stream("GET", f"{url}/node/live", headers=cookie, timeout=10) as answer,
    ):
        lines = answer.iter_lines()
        next(line for line in lines if 'data-part="build"' in line)
        away.set()
        next(line for line in lines if "verdict bad" in line)
        assert "The database does not answer" in next(line for line in lines if "sentence" in line)
        away.clear()
        next(line for line in lines if 'data-part="build"' in line)


def test_what_no_database_takes_is_nobodys_name(postgresql_url: str, tmp_path: Path) -> None:
    with site_in(tmp_path, database=postgresql_url, name="host") as site:
        with visiting(site) as client:
            form = {"account": "a\x00b", "password": "x"}
            assert client.post("/login", data=form).status_code == 403
        with as_visitor(site, "administrator") as client:
            assert client.post("/studies", data={"words": "a\x00b"}).status_code == 200


def test_it_is_said_that_more_files_wait_than_are_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_list, "MOST", 2)
    folder = site.config.data / "quarantine" / KEY
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.dcm").write_bytes(b"")
    assert "2 of 3 are shown" in shown(site, "/quarantine")
    (folder / "0.dcm").unlink()
    assert "are shown" not in shown(site, "/quarantine")

"""Sessions: who is let in, how long, and what a forged request gets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.frame.site import Site
from tests.pages_site import site_in, visiting

PASSWORD = "correct horse battery"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        LocalAccounts(site.database, "test").add("anna", ["clinician"], PASSWORD)
        yield site


def log_in(client: TestClient, **fields: str) -> int:
    """Status of a log-in; the cookie stays with the client."""
    form = {"account": "anna", "password": PASSWORD} | fields
    return int(client.post("/login", data=form).status_code)


def test_who_is_not_logged_in_is_asked_to(site: Site) -> None:
    with visiting(site) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/")
        assert client.get("/", headers={"Accept": "application/json"}).status_code == 401


def test_a_password_lets_in(site: Site) -> None:
    with visiting(site) as client:
        assert log_in(client) == 303
        assert client.get("/").headers["location"] == "/worklist"

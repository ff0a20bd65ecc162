"""Sessions: who is let in, for how long, and what a forged request gets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from msnode.pages.access import sessions
from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.frame.site import Site
from msnode.store.page_tables import page_sessions
from tests.pages_site import as_visitor, site_in, visiting

PASSWORD = "correct horse battery"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        known(site).add("anna", ["clinician"], PASSWORD)
        yield site


def known(site: Site) -> LocalAccounts:
    return LocalAccounts(site.database, "test")


def log_in(client: TestClient, **fields: str) -> int:
    """Status of a log-in; the cookie stays with the client."""
    form = {"account": "anna", "password": PASSWORD} | fields
    return int(client.post("/login", data=form).status_code)


def is_in(client: TestClient) -> bool:
    """Whether the home page does not ask for a log-in."""
    return "/login" not in client.get("/").headers["location"]


def test_who_is_not_logged_in_is_asked_to(site: Site) -> None:
    with visiting(site) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/")
        assert client.get("/", headers={"Accept": "application/json"}).status_code == 401


def test_a_password_lets_in_and_leads_on(site: Site) -> None:
    with visiting(site) as client:
        form = {"account": " Anna ", "password": PASSWORD, "to": "/worklist"}
        answer = client.post("/login", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/worklist")
        assert is_in(client)


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\n/b", "javascript:1"]
)
def test_nobody_is_led_elsewhere(site: Site, to: str) -> None:
    with visiting(site) as client:
        form = {"account": "anna", "password": PASSWORD, "to": to}
        assert client.post("/login", data=form).headers["location"] == "/"


@pytest.mark.parametrize("wrong", [{"account": "nobody"}, {"password": "wrong"}, {"account": ""}])
def test_what_is_wrong_is_not_told(site: Site, wrong: dict[str, str]) -> None:
    with visiting(site) as client:
        assert log_in(client, **wrong) == 403
        assert not is_in(client)


def test_the_cookie_is_for_the_browser_alone(tmp_path: Path) -> None:
    with site_in(tmp_path, {"url": "https://msnode.example.org"}) as site, visiting(site) as client:
        known(site).add("anna", ["viewer"], PASSWORD)
        form = {"account": "anna", "password": PASSWORD}
        cookie = client.post("/login", data=form).headers["set-cookie"]
    assert cookie.startswith("__Host-msnode=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))


def test_each_log_in_has_a_session_of_its_own(site: Site) -> None:
    """What somebody planted in the browser before is none (session fixation)."""
    with visiting(site) as client:
        client.cookies.set("msnode", "planted")
        log_in(client)
        token = client.cookies.get("msnode", domain="127.0.0.1")
        assert token not in (None, "planted")
        with site.database.connect() as connection:
            (kept,) = connection.scalars(sa.select(page_sessions.c.token_hash))
        assert token is not None
        assert token not in kept


def test_logging_out_ends_it_for_every_copy_of_the_cookie(site: Site) -> None:
    with visiting(site) as client, visiting(site) as thief:
        log_in(client)
        token = client.cookies.get("msnode") or ""
        thief.cookies.set("msnode", token)
        assert is_in(thief)
        client.post("/logout", data={"csrf": sessions.csrf_of(token)})
        assert not is_in(thief)


@pytest.mark.parametrize("column", ["seen_at", "began_at"])
def test_a_session_ends_by_itself(site: Site, column: str) -> None:
    limit = site.pages.idle_s if column == "seen_at" else site.pages.longest_s
    with visiting(site) as client:
        log_in(client)
        with site.database.begin() as connection:
            earlier = page_sessions.c[column] - limit - 1
            connection.execute(page_sessions.update().values({column: earlier}))
        assert not is_in(client)


def test_a_click_keeps_it_alive(site: Site) -> None:
    with visiting(site) as client:
        log_in(client)
        with site.database.begin() as connection:
            before = site.pages.idle_s - 60
            connection.execute(
                page_sessions.update().values(seen_at=page_sessions.c.seen_at - before)
            )
        assert is_in(client)
        with site.database.connect() as connection:
            row = connection.execute(sa.select(page_sessions)).one()
        assert row.seen_at - row.began_at > -1


@pytest.mark.parametrize(
    "change",
    [
        lambda known: known.set_password("anna", "another password"),
        lambda known: known.set_roles("anna", ["viewer"]),
        lambda known: known.change("anna", disabled=True),
        lambda known: known.remove("anna"),
    ],
    ids=["password", "roles", "disabled", "removed"],
)
def test_a_changed_account_has_to_log_in_again(site: Site, change: object) -> None:
    assert callable(change)
    with visiting(site) as client:
        log_in(client)
        change(known(site))
        assert not is_in(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ],
)
def test_a_forged_change_is_refused(site: Site, headers: dict[str, str]) -> None:
    with as_visitor(site, "clinician") as client:
        assert client.post("/logout", headers=headers).status_code == 403
        assert is_in(client)
        own = {"Origin": "http://127.0.0.1:9180", "Sec-Fetch-Site": "same-origin"}
        assert client.post("/logout", headers=own).status_code == 303


def test_anothers_token_is_of_no_use(site: Site) -> None:
    with as_visitor(site, "clinician") as one, as_visitor(site, "clinician") as other:
        token = other.headers["X-CSRF-Token"]
        assert one.post("/logout", headers={"X-CSRF-Token": token}).status_code == 403


def test_a_log_in_is_not_forged(site: Site) -> None:
    """Nobody is logged in under an account that another page chose."""
    with visiting(site) as client:
        form = {"account": "anna", "password": PASSWORD}
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert client.post("/login", data=form, headers=headers).status_code == 403

"""Links by which PACS and RIS open one study: signed, for minutes, once."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from msnode.pages.access.signed_links import signature_of
from msnode.pages.frame.site import Site
from tests.pages_site import as_visitor, site_in, visiting

SECRET = "0123456789abcdef0123456789abcdef"
STUDY, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path, {"links": {"secret": SECRET, "longest_s": 300}}) as site:
        yield site


def link(
    study: str = STUDY, within: float = 200, by: str = "Dr Reader", secret: str = SECRET
) -> str:
    """A link as a RIS makes it."""
    until = int(time.time() + within)
    signature = signature_of(secret, study, until, by)
    return f"/open?study={study}&until={until}&by={by.replace(' ', '%20')}&signature={signature}"


def where(client: TestClient, url: str) -> str | int:
    """Where a link leads, or the status that refuses it."""
    answer = client.get(url)
    return answer.headers.get("location", answer.status_code)


def test_a_link_opens_its_study_and_no_other(site: Site) -> None:
    with visiting(site) as client:
        assert where(client, link()) == f"/results/{STUDY}"
        assert where(client, "/") == f"/results/{STUDY}"
        assert where(client, link(OTHER)) == f"/results/{OTHER}"  # another link: another session


def test_a_link_is_used_once(site: Site) -> None:
    url = link()
    with visiting(site) as client, visiting(site) as thief:
        assert where(client, url) == f"/results/{STUDY}"
        assert where(client, url) == f"/results/{STUDY}"  # its own reader comes again
        assert where(thief, url) == 403


def test_who_is_logged_in_needs_no_link(site: Site) -> None:
    with as_visitor(site, "clinician") as client, visiting(site) as other:
        url = link()
        assert where(client, url) == f"/results/{STUDY}"
        assert where(other, url) == f"/results/{STUDY}"  # it was not used up


def altered(url: str) -> str:
    """With another last digit."""
    return url[:-1] + ("0" if url[-1] != "0" else "1")


FORGED: dict[str, Callable[[], str]] = {
    "secret": lambda: link(secret="another secret of some length"),
    "study": lambda: link().replace(STUDY, OTHER),
    "person": lambda: link().replace("Reader", "Writer"),
    "expired": lambda: link(within=-1),
    "too long": lambda: link(within=400),
    "signature": lambda: altered(link()),
}
"""Made when they are needed: each holds for minutes."""


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_is_forged_or_expired_opens_nothing(site: Site, forged: Callable[[], str]) -> None:
    with visiting(site) as client:
        assert where(client, forged()) == 403
        assert where(client, "/") == "/login?to=/"


def test_who_may_see_no_patient_by_himself_needs_the_link(site: Site) -> None:
    with as_visitor(site, "administrator") as client:
        assert where(client, link()) == f"/results/{STUDY}"
        assert where(client, "/") == f"/results/{STUDY}"


def test_a_second_link_ends_the_first_ones_session(site: Site) -> None:
    with visiting(site) as client:
        client.get(link())
        token = client.cookies.get("msnode") or ""
        client.get(link(OTHER))
    with visiting(site) as thief:
        thief.cookies.set("msnode", token)
        assert where(thief, "/") == "/login?to=/"


@pytest.mark.parametrize(
    "wrong",
    ["/open", "/open?study=..&until=1&by=a&signature=b", link().replace("until=", "until=x")],
)
def test_what_is_no_link_is_refused(site: Site, wrong: str) -> None:
    with visiting(site) as client:
        assert where(client, wrong) == 422


def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    with site_in(tmp_path) as site, visiting(site) as client:
        assert where(client, link()) == 404

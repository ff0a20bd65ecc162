"""Who somebody is by the headers of a trusted proxy, and of nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from msnode.pages.app import create_app
from msnode.pages.frame.site import Site
from tests.pages_site import URL, site_in

GROUPS = [{"group": "radiology", "role": "clinician"}, {"group": "it", "role": "administrator"}]
PROXY = {"addresses": ["10.1.0.0/16", "fd00::1"], "roles": GROUPS}
ANNA = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "staff, radiology"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path, {"proxy": PROXY, "passwords": False}) as site:
        yield site


def first_page(site: Site, address: str, headers: dict[str, str]) -> str | int:
    """Where the home page of somebody from an address leads."""
    app = create_app(site)
    with TestClient(app, URL, follow_redirects=False, client=(address, 50000)) as client:
        answer = client.get("/", headers={"Accept": "text/html"} | headers)
        return answer.headers.get("location", answer.status_code)


@pytest.mark.parametrize("address", ["10.1.2.3", "fd00::1"])
def test_the_proxy_is_believed(site: Site, address: str) -> None:
    assert first_page(site, address, ANNA) == "/worklist"
    assert first_page(site, address, ANNA | {"X-Forwarded-Groups": "it"}) == "/node"


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "testclient"])
def test_others_are_not(site: Site, address: str) -> None:
    assert first_page(site, address, ANNA) == "/login?to=/"


@pytest.mark.parametrize(
    ("address", "told", "counts"),
    [
        ("127.0.0.1", "10.9.9.9", "10.9.9.9"),
        ("10.1.2.3", "6.6.6.6, 10.9.9.9", "10.9.9.9"),  # what the browser says stands before it
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "<script>", "10.1.2.3"),
        ("10.2.0.1", "10.9.9.9", "10.2.0.1"),
    ],
)
def test_the_proxy_says_where_somebody_comes_from(
    tmp_path: Path, address: str, told: str, counts: str
) -> None:
    pages = {"proxy": PROXY, "forwarded_header": "X-Forwarded-For"}
    with site_in(tmp_path, pages) as site:
        app = create_app(site)
        with TestClient(app, URL, client=(address, 50000)) as client:
            form = {"account": "nobody", "password": "wrong"}
            client.post("/login", data=form, headers={"X-Forwarded-For": told})
        site.trail.close()
        trail = "".join(one.read_text() for one in (site.config.data / "audit").glob("*"))
    assert f'NetworkAccessPointID="{counts}"' in trail


def test_who_has_no_name_is_nobody(site: Site) -> None:
    assert first_page(site, "10.1.2.3", ANNA | {"X-Forwarded-User": " "}) == "/login?to=/"


def test_a_password_lets_nobody_in_where_it_is_not_wanted(site: Site) -> None:
    with TestClient(create_app(site), URL, follow_redirects=False) as client:
        form = {"account": "anna", "password": "correct horse battery"}
        assert client.post("/login", data=form).status_code == 403

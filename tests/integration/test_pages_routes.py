"""What holds for every route of the pages, whoever adds one: who may, and who may not."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, settings

from msnode.config import Role
from msnode.pages.access import sessions
from msnode.pages.app import create_app
from msnode.pages.frame.headers import HEADERS
from msnode.pages.frame.site import Site
from tests import clinic_results
from tests.pages_site import as_visitor, served, site_in, visiting

OPEN = {"/login", "/healthz", "/language", "/oidc", "/oidc/back", "/open"}
"""For anybody."""
EVERYBODYS = {"/", "/logout"}
"""For whoever is logged in."""
STUDY = "0123456789abcdef"
KEPT = "6dadc91b850d6b88"
"""Of which there is a result with images."""
ROLES: tuple[Role, ...] = ("viewer", "clinician", "administrator")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with site_in(folder, {"links": {"secret": "0" * 16}}) as site:
        assert clinic_results.keep_result(site, clinic_results.compared(folder)) == KEPT
        yield site


def routes(site: Site) -> list[tuple[str, str]]:
    """Method and path of each route, with something in the place of each parameter."""
    found = []
    for route in create_app(site).routes:
        if isinstance(route, APIRoute) and route.path not in OPEN:
            values = dict.fromkeys(route.param_convertors, "1")
            values |= {name: STUDY for name in values if "key" in name or "study" in name}
            path = route.path
            for name, value in values.items():
                path = path.replace("{" + name + "}", value)
            found += [(method, path) for method in sorted(route.methods or ())]
    return found


def test_nothing_is_shown_to_who_is_not_logged_in(site: Site) -> None:
    with visiting(site) as client:
        for method, path in routes(site):
            answer = client.request(method, path)
            login = answer.status_code == 303 and "/login" in answer.headers["location"]
            assert login or answer.status_code == 401, (method, path, answer.status_code)


def test_every_route_asks_for_a_role(site: Site) -> None:
    """Whoever has no role at all is refused everywhere."""
    with as_visitor(site) as client:
        for method, path in routes(site):
            if path not in EVERYBODYS:
                assert client.request(method, path).status_code == 403, (method, path)


def test_every_change_needs_the_sessions_token(site: Site) -> None:
    with as_visitor(site, *ROLES) as client:
        del client.headers["X-CSRF-Token"]
        for method, path in routes(site):
            if method not in ("GET", "HEAD"):
                assert client.request(method, path).status_code == 403, (method, path)


def test_a_link_shows_one_study_and_none_of_the_node(site: Site) -> None:
    with as_visitor(site, "clinician", via="link", study_key="fedcba9876543210") as client:
        for method, path in routes(site):
            if path not in EVERYBODYS:
                status = client.request(method, path).status_code
                assert status in (403, 404, 422), (method, path, status)


def test_what_changes_something_is_no_get(site: Site) -> None:
    """A page that others embed as a picture does nothing."""
    assert all(method != "GET" or "delete" not in path for method, path in routes(site))


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with served(site) as url:
        yield url


THERE: dict[str, dict[str, Any]] = {
    "study_key": {"enum": [KEPT, STUDY]},
    "key": {"enum": [KEPT, STUDY]},
    "generation": {"enum": [1, 2]},
}
"""What a parameter must be to find something; what is no key at all is refused by its pattern."""


def document() -> dict[str, Any]:
    """Every route with its parameters, as FastAPI knows them."""
    with TemporaryDirectory() as folder, site_in(Path(folder)) as site:
        told = create_app(site).openapi()
    for path in told["paths"].values():
        for operation in path.values():
            for one in operation.get("parameters", ()):
                one["schema"] |= THERE.get(one["name"], {})
    return told


schema = schemathesis.openapi.from_dict(document())


@schema.parametrize()
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_request_makes_it_fail(case: Any, url: str, site: Site) -> None:
    token = sessions.begin(site, "somebody", frozenset(ROLES), "oidc")
    headers = {"X-CSRF-Token": sessions.csrf_of(token), "Accept": "text/html"}
    answer = case.call(base_url=url, headers=headers, cookies={"msnode": token})
    assert answer.status_code < 500, case.as_curl_command()
    assert all(answer.headers[name.lower()] == [value] for name, value in HEADERS.items())

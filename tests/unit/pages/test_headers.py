"""What every answer says to the browser, as a security scanner would ask for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msnode.pages.frame.headers import HEADERS, POLICY
from msnode.pages.frame.site import Site
from tests.pages_site import as_visitor, site_in, visiting

ANSWERS = ["/", "/login", "/healthz", "/static/pages.css", "/static/../app.py", "/none", "/oidc"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_has_them(site: Site, path: str) -> None:
    with visiting(site) as client:
        answer = client.get(path)
        assert all(answer.headers[name] == value for name, value in HEADERS.items())
        assert "server" not in answer.headers
        is_static = path == "/static/pages.css"
        assert answer.headers["cache-control"] == ("no-cache" if is_static else "no-store")


def test_no_script_and_style_comes_from_the_page_or_elsewhere() -> None:
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY


def test_https_is_stayed_with(tmp_path: Path) -> None:
    with site_in(tmp_path, {"url": "https://msnode.example.org"}) as site, visiting(site) as client:
        assert client.get("/login").headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
        "/static/%00", "/static/....//app.py", "/static/none",
    ],
)  # fmt: skip
def test_nothing_but_the_shipped_files_is_served(site: Site, path: str) -> None:
    with visiting(site) as client:
        assert client.get(path).status_code == 404


def test_what_is_too_large_is_refused_by_its_length(site: Site) -> None:
    with as_visitor(site, "viewer") as client:
        assert client.post("/login", content=b"x" * (1 << 20)).status_code in (403, 422)
        assert client.post("/login", content=b"x" * ((1 << 20) + 1)).status_code == 413
        chunked = client.post("/login", content=iter([b"x"]))
        assert chunked.status_code == 411


def test_a_language_is_kept_by_the_browser(site: Site) -> None:
    with visiting(site) as client:
        assert 'lang="en"' in client.get("/login").text
        german = {"Accept-Language": "it, de-CH;q=0.8, en;q=0.5"}
        assert "Anmelden" in client.get("/login", headers=german).text
        client.post("/language", data={"language": "nl", "to": "/login"})
        assert "Aanmelden" in client.get("/login", headers=german).text
        assert client.post("/language", data={"language": "xx"}).status_code == 422


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x"]
)
def test_a_form_is_bounded_where_uploads_are_not(site: Site, kind: str) -> None:
    """It is parsed for its token, and a part of it would be kept in a temporary file."""
    path, kinds = f"/upload/{'0' * 32}", {"Content-Type": kind}
    with as_visitor(site, "viewer") as client:
        del client.headers["X-CSRF-Token"]
        large = client.post(path, content=b"x" * ((1 << 20) + 1), headers=kinds)
        assert large.status_code == 413
        assert client.post(path, content=iter([b"x"]), headers=kinds).status_code == 411


def test_what_is_no_text_hides_no_page(site: Site) -> None:
    (site.config.data / "quarantine" / "study").mkdir(parents=True)
    name = b"\xff<b>.dcm".decode(errors="surrogateescape")
    (site.config.data / "quarantine" / "study" / name).write_bytes(b"")
    with as_visitor(site, "administrator") as client:
        assert "?&lt;b&gt;.dcm" in client.get("/quarantine").text

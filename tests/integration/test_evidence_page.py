"""The page says how right results were, to those with rights, and names nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msnode.config import Role
from msnode.pages.frame.site import Site
from tests.evidence import One, judge, keep, key
from tests.pages_site import as_visitor, site_in


def filled(site: Site) -> None:
    """Forty results of two scanners, of which readers judged 28."""
    keep(site.database, site.config.data.parent, (
        One(key(n), "present" if n % 2 else "absent", 0.9 if n % 2 else 0.1,
            scanner="SIEMENS Skyra 3.0 T" if n < 24 else "<b>PHILIPS</b>")
        for n in range(40)
    ))  # fmt: skip
    for n in range(28):
        judge(site.database, key(n), "agree" if n > 1 else "not_ms")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        filled(site)
        yield site


@pytest.mark.parametrize("role", ["administrator", "clinician"])
def test_who_has_rights_sees_figures_and_what_they_rest_on(site: Site, role: Role) -> None:
    with as_visitor(site, role) as client:
        page = client.get("/evidence").text
        assert "The truth is known of 28 of 40 results, of 28 of 40 patients." in page
        assert "Positives are read and confirmed more often than negatives" in page
        assert "13/13" in page
        by_scanner = client.get("/evidence?by=scanner").text
        assert "&lt;b&gt;PHILIPS" in by_scanner
        assert "<b>PHILIPS" not in by_scanner
        assert client.get("/evidence?by=name").status_code == 422
        assert not any(key(n) in page + by_scanner for n in range(40)), "no study is named"


def test_others_and_who_came_by_a_link_see_nothing(site: Site) -> None:
    with as_visitor(site, "viewer") as client:
        assert client.get("/evidence").status_code == 403
        assert "/evidence" not in client.get("/worklist").text
    with as_visitor(site, "clinician", via="link", study_key=key(1)) as client:
        assert client.get("/evidence").status_code == 403


def test_where_no_patients_are_shown_it_is_the_administrators_alone(tmp_path: Path) -> None:
    with site_in(tmp_path, {"patients": False}) as site:
        filled(site)
        with as_visitor(site, "clinician") as client:
            assert client.get("/evidence").status_code == 403
        with as_visitor(site, "administrator") as client:
            assert "28 of 40" in client.get("/evidence").text


def test_without_feedback_it_says_so_in_every_language(tmp_path: Path) -> None:
    with site_in(tmp_path) as site, as_visitor(site, "administrator") as client:
        assert "before readers judge results" in client.get("/evidence").text
        told = {
            "de": "erst, wenn Befunder", "fr": "lecteurs aient jugé", "es": "lectores juzguen",
            "nl": "lezers resultaten",
        }  # fmt: skip
        for language, words in told.items():
            page = client.get("/evidence", headers={"Accept-Language": language}).text
            assert words in page

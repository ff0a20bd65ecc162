"""The page of shadow bundles: figures for all, single studies for administrators alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msnode.pages.frame.site import Site
from tests.pages_site import as_visitor, site_in
from tests.unit.manage.test_shadow_report import SAID, keep

DIFFERS = f"{1:016x}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    shadows = [{"name": "next", "bundle": str(tmp_path / "next")}]
    with site_in(tmp_path, classify={"shadow": shadows}) as site:
        with site.database.begin() as connection:
            for number, said in enumerate(SAID):
                keep(connection, f"{number:016x}", *said)
        yield site


def test_an_administrator_sees_where_they_differ(site: Site) -> None:
    with as_visitor(site, "administrator") as client:
        text = client.get("/shadow").text
    assert f'href="/studies/{DIFFERS}"' in text
    assert "hybrid 2.0.0" in text
    assert "4 studies of 4 patients" in text


@pytest.mark.parametrize("role", ["viewer", "clinician"])
def test_who_reads_studies_sees_no_single_one(site: Site, role: str) -> None:
    """What another bundle says of a study should not be known before it is read."""
    with as_visitor(site, role) as client:  # type: ignore[arg-type]
        answer = client.get("/shadow")
    assert answer.status_code == 200
    assert "4 studies of 4 patients" in answer.text
    assert DIFFERS not in answer.text


def test_in_every_language(site: Site) -> None:
    with as_visitor(site, "viewer") as client:
        for language in ("de", "fr", "es", "nl"):
            client.cookies.set("msnode-language", language)
            text = client.get("/shadow").text
            assert "Cohen" in text
            assert "admin." not in text.replace("admin.css", "")


def test_a_node_without_shadows_says_how_to_name_some(tmp_path: Path) -> None:
    with site_in(tmp_path) as site, as_visitor(site, "administrator") as client:
        assert "classify.shadow" in client.get("/shadow").text
        assert 'href="/shadow"' not in client.get("/node").text

"""Worklist and results by HTTP: who may see what, and that it is the truth."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from markupsafe import escape

from msnode.config import Role
from msnode.pages.frame.site import Site
from msnode.records.results import Report
from msnode.records.sentences import Sentence
from msnode.records.vocabulary import SMEAR
from msnode.store.visit_images import visit_folder, visit_images
from tests import clinic_results, reports
from tests.clinic_results import Patient, keep_result, revised
from tests.pages_site import as_visitor, site_in, visiting

HOSTILE = Patient(name="<script>alert(1)</script>\"&'", accession="<b>", patient_id="<i>P</i>")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return clinic_results.compared(tmp_path_factory.mktemp("study"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


def audited(site: Site) -> str:
    site.trail.close()
    return "".join(path.read_text() for path in (site.config.data / "audit").glob("*"))


def routes(key: str) -> list[str]:
    base = f"/results/{key}"
    more = [f"{base}/newest", f"{base}/1/stack", f"{base}/1/slices/now/3"]
    return ["/worklist", base, *more]


def test_a_viewer_sees_the_worklist_and_the_result_and_the_trail_knows(
    site: Site, made: Report
) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "viewer", account="eva") as client:
        listed = client.get("/worklist").text
        assert "DOE, JANE" in listed
        assert "2 new lesions" in listed
        assert f"/results/{key}" in listed
        page = client.get(f"/results/{key}").text
    assert "NOT VERIFIED BY A PHYSICIAN" in page
    assert "Since 2023-01-15 (365 days): 2 new lesions" in page
    assert "feedback" not in page, "a viewer may not answer"
    trail = audited(site)
    assert trail.count("eva") >= 2
    assert "P-17" in trail


def test_the_page_says_each_sentence_of_the_report(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "viewer") as client:
        for language in get_args(clinic_results.Language):
            page = client.get(f"/results/{key}", headers={"accept-language": language}).text
            missing = [s for s in clinic_results.said(made, language) if str(escape(s)) not in page]
            assert missing == []


@pytest.mark.parametrize("role", ["administrator", None])
def test_who_is_no_viewer_sees_no_patient(site: Site, made: Report, role: Role | None) -> None:
    key = keep_result(site, made)
    roles: list[Role] = [role] if role else []
    with as_visitor(site, *roles) as client:
        assert {client.get(path).status_code for path in routes(key)} == {403}
    with visiting(site) as client:
        assert {client.get(path).status_code for path in routes(key)} == {303}


def test_a_link_opens_its_study_and_no_other(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    other = keep_result(site, replace(made, study_instance_uid="1.2.3"), Patient("P-18"))
    with as_visitor(site, "clinician", via="link", study_key=key) as client:
        assert client.get(f"/results/{key}").status_code == 200
        assert client.get("/worklist").status_code == 404
        for path in routes(other)[1:]:
            assert client.get(path).status_code == 404
        answer = client.post(f"/results/{other}/1/feedback", data={"kind": "agree"})
        assert answer.status_code == 404


def test_without_patients_there_are_no_such_pages(tmp_path: Path, made: Report) -> None:
    with site_in(tmp_path, {"patients": False}) as site:
        key = keep_result(site, made)
        with as_visitor(site, "clinician", "administrator") as client:
            for path in routes(key):
                assert client.get(path).status_code == 404
            assert client.post(f"/results/{key}/1/finish").status_code == 404


def test_hostile_names_are_text(site: Site, made: Report) -> None:
    key = keep_result(site, made, HOSTILE)
    with as_visitor(site, "clinician") as client:
        pages = [client.get("/worklist").text, client.get(f"/results/{key}").text]
        note = {"kind": "note", "note": '"><script>alert(2)</script>\x00'}
        assert client.post(f"/results/{key}/1/feedback", data=note).status_code == 303
        pages.append(client.get(f"/results/{key}").text)
        pages.append(client.post("/worklist", data={"wanted": "<script>%_"}).text)
    for page in pages:
        assert "<script>alert" not in page
        assert "<i>P" not in page
    assert "&lt;script&gt;alert(2)" in pages[2]


def test_slices_are_the_kept_arrays_byte_for_byte(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    images = visit_images(visit_folder(site.config.data, key, 1))
    assert images.prior is not None
    with as_visitor(site, "viewer") as client:
        for which, voxels in (("now", images.flair), ("prior", images.prior)):
            for index in (0, 11, voxels.shape[2] - 1):
                answer = client.get(f"/results/{key}/1/slices/{which}/{index}")
                shown = np.frombuffer(answer.content, "<u2").reshape(voxels.shape[1], -1)
                np.testing.assert_array_equal(shown, voxels[:, :, index].T)
                assert answer.headers["cache-control"] == "no-store"
        for path in ("slices/now/24", "slices/now/-1", "slices/later/1", "slices/now/x"):
            assert client.get(f"/results/{key}/1/{path}").status_code in (404, 422)


def test_the_stack_says_sides_spacing_and_outlines_of_every_lesion(
    site: Site, made: Report
) -> None:
    key = keep_result(site, made)
    assert made.lesions is not None
    with as_visitor(site, "viewer") as client:
        told = client.get(f"/results/{key}/1/stack").json()
    assert told["sides"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    drawn = {one["n"]: one["g"] for of in told["outlines"]["now"].values() for one in of}
    assert set(drawn) == {one.number for one in made.lesions.lesions}
    assert [drawn[1], drawn[2], drawn[3]] == ["new", "new", "enlarging"]
    assert told["outlines"]["gone"]
    assert told["labels"][3] == "Slice 4 of 24 · Image 4"


def test_an_older_result_says_that_a_newer_one_is_there(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    keep_result(site, clinic_results.revised(made))
    with as_visitor(site, "viewer") as client:
        older = client.get(f"/results/{key}?generation=1").text
        newest = client.get(f"/results/{key}").text
        assert client.get(f"/results/{key}/newest").json() == {"generation": 2}
        assert client.get(f"/results/{key}?generation=7").status_code == 404
    assert "This is result 1. Result 2 has replaced it." in older
    assert "replaced it" not in newest
    assert "look at them in the PACS" in older, "images are kept of the newest result alone"


def test_what_was_not_analysed_says_so_and_why_before_all_else(site: Site, made: Report) -> None:
    bare = replace(made, lesions=None, maps=None)
    key = keep_result(site, reports.not_analysed(bare, Sentence("single_image")))
    with as_visitor(site, "viewer") as client:
        page = client.get(f"/results/{key}").text
        assert "Not analysed" in client.get("/worklist").text
    assert "It says nothing about the patient." in page
    assert "a single image is not a volume" in page


def test_what_a_blood_smear_cannot_tell_is_not_what_a_head_cannot(site: Site, made: Report) -> None:
    key = keep_result(site, replace(made, words=SMEAR, lesions=None, maps=None))
    with as_visitor(site, "viewer") as client:
        page = client.get(f"/results/{key}").text
    assert "it is no established test for MS" in page
    assert "white matter" not in page


@pytest.mark.parametrize("left", [None, b"", b"{", b'{"report": {"model": 7}}'])
def test_a_result_that_is_not_kept_whole_says_that_it_is_less(
    site: Site, made: Report, left: bytes | None
) -> None:
    key = keep_result(site, made)
    path = site.config.data / "work" / key / "1" / "report.json"
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    with as_visitor(site, "viewer") as client:
        page = client.get(f"/results/{key}").text
    assert "This is less than it said" in page
    assert 'data-slice="' in page, "the visit still has its lesions"


def test_a_page_of_ten_thousand_studies_is_quick(site: Site) -> None:
    clinic_results.many(site, 10_000)
    with as_visitor(site, "viewer") as client:
        for query in ("", "?show=all", "?show=urgent", "?show=all&page=150"):
            began = time.perf_counter()
            page = client.get(f"/worklist{query}")
            took = time.perf_counter() - began
            assert page.status_code == 200
            assert took < 0.9, "0.3 s on a quiet machine"
            print(query, round(took, 3))
        began = time.perf_counter()
        found = client.post("/worklist", data={"wanted": "P-777"})
        print("search", round(time.perf_counter() - began, 3))
        assert found.text.count("/results/") == 1


def test_a_list_that_is_open_learns_that_results_have_come(site: Site, made: Report) -> None:
    key = keep_result(site, made)
    with as_visitor(site, "viewer") as client:
        page = client.get("/worklist").text
        opened = float(page.partition('data-newest="')[2].partition('"')[0])
        assert client.get("/worklist/newest").json() == {"created_at": opened}
        keep_result(site, replace(revised(made), created_at=time.time() + 1))
        assert client.get("/worklist/newest").json()["created_at"] > opened
    with as_visitor(site, "viewer", study_key=key) as client:
        assert client.get("/worklist/newest").status_code == 404


def test_what_was_read_stands_behind_what_is_urgent_and_unread(site: Site, made: Report) -> None:
    read = keep_result(site, made)
    unread = keep_result(site, replace(made, study_instance_uid="1.2.3", created_at=1.0))
    with as_visitor(site, "clinician") as client:
        client.post(f"/results/{read}/1/finish")
        page = client.get("/worklist?show=all").text
    assert page.index(unread) < page.index(read)
    assert page.count('<tr class="urgent">') == 1


def test_a_patient_is_found_by_id_order_and_part_of_the_name(site: Site, made: Report) -> None:
    key = keep_result(site, made, Patient("P-17", "MÜLLER-LÜDENSCHEIDT^ANA", "A-17"))
    keep_result(site, replace(made, study_instance_uid="1.2.3"), Patient("P-171", "DOE^J", "A-1"))
    with as_visitor(site, "viewer") as client:
        for wanted in ("P-17", "A-17", "müller", "Ana, Muller", " ana "):
            page = client.post("/worklist", data={"wanted": wanted}).text
            assert page.count('href="/results/') == 1, wanted
            assert key in page
        assert 'href="/results/' not in client.post("/worklist", data={"wanted": "%"}).text

"""A clinician's day: two visits arrive by DICOM, a result is read and corrected, a record kept.

The node, its pages and the browser are what a hospital has; the patient is invented.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from msnode.lesions import SHIPPED
from msnode.records.feedback import Feedback
from msnode.records.uid_hash import uid_hash
from msnode.sample.invented_visits import VISITS
from msnode.store import reader_feedback
from msnode.store.database import clinical_events, open_database
from tests.acceptance import browser, peers
from tests.acceptance.node import Node
from tests.acceptance.peers import dcmtk, wait
from tests.acceptance.small_node import small_node

PASSWORD = "a long enough password"
EARLIER, NOW = VISITS[1], VISITS[2]
KEY = uid_hash(NOW.identity.study_uid)


@dataclass(frozen=True)
class Clinic:
    """A node with both visits, and where its pages are."""

    node: Node
    data: Path
    url: str

    def said(self) -> list[Feedback]:
        database = open_database(f"sqlite:///{self.data / 'msnode.sqlite'}")
        with database.connect() as connection:
            found = reader_feedback.of_study(connection, KEY)
        database.dispose()
        return found

    def events(self) -> list[str]:
        database = open_database(f"sqlite:///{self.data / 'msnode.sqlite'}")
        with database.connect() as connection:
            found = list(connection.scalars(sa.select(clinical_events.c.value)))
        database.dispose()
        return found


def has_results(node: Node, number: int) -> bool:
    return node.sum("msnode_studies_total") >= number


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder, port = tmp_path_factory.mktemp("clinic"), peers.free_port()
    data = folder / "data"
    node = small_node(
        folder,
        data,
        lesions={"bundle": str(SHIPPED)},
        pages={"port": port, "patients": True, "feedback": "send"},
    )
    node.start()
    try:
        settings = ["--config", str(folder / "msnode.yaml")]
        command = [sys.executable, "-m", "msnode", "accounts", "add", "eva", "--role", "clinician"]
        subprocess.run([*command, *settings], input=f"{PASSWORD}\n".encode(), check=True)
        for number, visit in enumerate((EARLIER, NOW), 1):
            images = visit.write(folder / visit.name)
            dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", str(node.port), *images)
            wait(partial(has_results, node, number), 120, "the result")
        yield Clinic(node, data, f"http://127.0.0.1:{port}")
    finally:
        node.terminate()


def reader_srs(clinic: Clinic) -> list[pydicom.Dataset]:
    """What of a reader has arrived at the destination."""
    folder = clinic.data.parent / "archive"
    found = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.rglob("*.dcm")]
    return [one for one in found if one.SeriesNumber == 9010]


def has_reader_sr(clinic: Clinic) -> bool:
    return bool(reader_srs(clinic))


def drawn(page: Page, slice_number: int) -> None:
    """Wait until a slice is on the canvas."""
    expect(page.locator('[data-pane="now"]')).to_have_attribute("data-drawn", str(slice_number - 1))


def red(page: Page) -> list[tuple[float, float]]:
    """Where this scan's image has the colour of a new lesion, CSS pixels of the page."""
    found: list[tuple[float, float]] = page.evaluate(
        """() => {
            const canvas = document.querySelector('[data-pane="now"] canvas');
            const box = canvas.getBoundingClientRect();
            const {width, height} = canvas;
            const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            const found = [];
            for (let at = 0; at < data.length; at += 4)
                if (data[at] > 200 && data[at + 1] < 130 && data[at + 2] < 100)
                    found.push([box.left + (at / 4 % width) * box.width / width,
                                box.top + Math.floor(at / 4 / width) * box.height / height]);
            return found;
        }"""
    )
    return found


def test_a_clinician_reads_a_result_and_keeps_the_patients_record(
    clinic: Clinic, tmp_path: Path
) -> None:
    with browser.chromium() as chromium, browser.opened(chromium, clinic.url) as page:
        browser.log_in(page, "eva", PASSWORD)
        page.wait_for_url("**/worklist")
        _worklist(page, tmp_path)
        _look(page, tmp_path)
        _correct(page, clinic, tmp_path)
        _patient(page, clinic, tmp_path)
    with browser.chromium() as chromium, browser.opened(chromium, clinic.url, "light") as page:
        browser.log_in(page, "eva", PASSWORD)
        for name, path in (("result", f"/results/{KEY}"), ("patient", f"/patients/{KEY}")):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=tmp_path / f"{name}-light.png", full_page=True)
            assert browser.judged(page) == []


def _worklist(page: Page, tmp_path: Path) -> None:
    """The urgent result comes first, with its reason."""
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("urgent")
    expect(rows.first).to_contain_text("new lesions since the earlier scan: 2")
    page.screenshot(path=tmp_path / "worklist.png")
    assert browser.judged(page) == []
    rows.first.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/results/{KEY}")


def _look(page: Page, tmp_path: Path) -> None:
    """Scroll by keys, jump to a lesion; both scans are shown in step."""
    expect(page.get_by_text("NOT VERIFIED BY A PHYSICIAN")).to_be_visible()
    expect(page.locator("h1")).to_have_text("DEMO, INVENTED")
    expect(page.locator("section.card").filter(has_text="What the AI says")).to_contain_text(
        "2 new lesions"
    )
    expect(page.locator('[data-pane="now"]')).to_have_attribute("data-drawn", re.compile("[0-9]+"))
    panes = page.locator(".panes")
    panes.focus()
    page.keyboard.press("Home")
    drawn(page, 1)
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    drawn(page, 4)
    expect(page.locator("#slice-label")).to_contain_text("Slice 4 of 20")
    expect(page.locator('[data-pane="prior"]')).to_have_attribute("data-drawn", "3")
    jump = page.locator("#lesions tr.new .jump").first
    jump.focus()
    page.keyboard.press("Enter")
    drawn(page, 1 + int(jump.get_attribute("data-slice") or 0))
    expect(page.locator("#lesions tr.new").first).to_have_class("new chosen")
    outline = red(page)
    assert len(outline) > 10, "the new lesion is outlined"
    _by_mouse(page, outline)
    panes.focus()
    page.keyboard.press("o")
    page.wait_for_timeout(100)
    assert red(page) == [], "and can be seen without its outline"
    page.keyboard.press("o")
    page.screenshot(path=tmp_path / "result.png", full_page=True)
    assert browser.judged(page) == []


def _by_mouse(page: Page, outline: list[tuple[float, float]]) -> None:
    """Wheel, drag and click do what keys do."""
    slice_ = page.locator("#slice")
    before = int(slice_.input_value())
    x, y = (sum(one) / len(outline) for one in zip(*outline, strict=True))
    page.mouse.move(x, y)
    page.mouse.wheel(0, 100)
    drawn(page, before + 2)
    page.mouse.wheel(0, -100)
    drawn(page, before + 1)
    width = page.locator("#width").input_value()
    page.mouse.move(x + 60, y + 60)
    page.mouse.down()
    page.mouse.move(x + 120, y + 60, steps=3)
    page.mouse.up()
    assert float(page.locator("#width").input_value()) > float(width)
    page.get_by_role("button", name="Usual window").click()
    assert page.locator("#width").input_value() == width
    page.mouse.click(x + 60, y + 60)
    expect(page.locator("#lesions tr.chosen")).to_have_count(0)
    page.mouse.click(x, y)
    expect(page.locator("#lesions tr.new.chosen")).to_have_count(1)


def _correct(page: Page, clinic: Clinic, tmp_path: Path) -> None:
    """Reject a lesion, add one by the arrow keys, finish."""
    number = page.locator("#lesions tr.new").first.get_attribute("data-lesion")
    expect(page.locator(".reject select[name=lesion]")).to_have_value(str(number))
    page.locator(".reject select[name=reason]").select_option("vessel")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("#lesions tr.rejected")).to_have_count(1)
    expect(page.locator(".reject button")).to_be_focused()
    page.get_by_role("button", name="Mark in the image").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("#adding [name=column]")).to_have_value("")
    page.get_by_role("button", name="Mark in the image").click()
    expect(page.locator("#adding [name=row]")).to_have_value("")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.locator("#adding [name=diameter_mm]").fill("4.5")
    before = float(page.locator("#adding [name=column]").input_value())
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#said [data-mm]")).to_have_attribute("data-mm", "4.5")
    page.screenshot(path=tmp_path / "corrected.png", full_page=True)
    assert browser.judged(page) == []
    page.get_by_role("button", name="Finish reading").click()
    expect(page.locator("#said .badge.good")).to_have_text("Read")
    rejected, added = clinic.said()
    assert (rejected.kind, str(rejected.lesion), rejected.reason) == ("reject", number, "vessel")
    assert added.place is not None
    assert (added.place.column, added.place.diameter_mm) == (before, 4.5)
    page.goto("/worklist")
    expect(page.locator("tbody tr")).to_have_count(1)
    wait(partial(has_reader_sr, clinic), 30, "the reader's SR at the destination")
    (document,) = reader_srs(clinic)
    assert document.StudyInstanceUID == NOW.identity.study_uid


def _patient(page: Page, clinic: Clinic, tmp_path: Path) -> None:
    """Enter an EDSS that is none of hers, and correct it."""
    page.goto(f"/results/{KEY}")
    page.get_by_role("link", name="Course of the patient").click()
    form = page.locator("#enter")
    form.locator("[name=date]").fill("2024-01-20")
    form.locator("[name=value]").fill("7.5")
    form.get_by_role("button").click()
    row = page.locator('tr[data-event="edss"]')
    expect(row).to_contain_text("7.5")
    row.locator("summary").click()
    row.locator("[name=value]").fill("2.5")
    row.get_by_role("button", name="Keep the correction").click()
    expect(page.locator('tr[data-event="edss"] td').nth(1)).to_have_text("2.5")
    expect(page.locator("#similar")).to_contain_text("published people")
    page.screenshot(path=tmp_path / "patient.png", full_page=True)
    assert browser.judged(page) == []
    assert clinic.events() == ["7.5", "2.5"], "what was typed wrong stays on record"

"""An administrator's day in the browser: a study comes, waits, is sent, found, done again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from msnode.pages.access.local_accounts import LocalAccounts
from msnode.records.uid_hash import uid_hash
from msnode.store.database import open_database
from tests.acceptance import peers
from tests.acceptance.browser import Theme, chromium, judged, log_in, opened
from tests.acceptance.conftest import Sent
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node
from tests.patience import PATIENCE

PASSWORD = "correct horse battery"
SOON_MS = 20_000 * PATIENCE


@dataclass(frozen=True)
class Office:
    """A node with pages, and an administrator's browser."""

    node: Node
    url: str
    pacs_port: int
    """Of a destination that is down as yet."""
    browser: Browser


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    port, pacs_port = peers.free_port(), peers.free_port()
    retry = {"first_s": 600.0, "longest_s": 900.0}  # until the test is over, unless somebody asks
    node = small_node(
        folder,
        folder / "data",
        destinations=[
            {"name": "archive", "folder": str(folder / "archive")},
            peers.destination("pacs", "STORESCP", pacs_port) | {"retry": retry},
        ],
        pages={"port": port, "patients": True},
    )
    (folder / "archive").mkdir()
    node.start()
    try:
        database = open_database(f"sqlite:///{folder / 'data' / 'msnode.sqlite'}")
        LocalAccounts(database, "test").add("admin", ["administrator"], PASSWORD)
        database.dispose()
        peers.wait(lambda: peers.listening(port), 20, "the pages")
        with chromium() as browser:
            yield Office(node, f"http://127.0.0.1:{port}", pacs_port, browser)
    finally:
        node.kill_if_alive()


@pytest.fixture
def page(office: Office) -> Iterator[Page]:
    with opened(office.browser, office.url, expected="status of 415") as page:
        log_in(page, "admin", PASSWORD)
        yield page


def look(page: Page, name: str, folder: Path) -> None:
    """Keep a picture, and let axe judge."""
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert judged(page) == []


def send(office: Office, study: Sent) -> None:
    done = peers.dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", office.node.port, "+sd",
                       study.folder)  # fmt: skip
    assert done.returncode == 0, done.stdout


def see_it_come(office: Office, page: Page, study: Sent, folder: Path) -> None:
    """Is all well? The study comes in while the page is open."""
    page.goto("/node")
    expect(page.locator("[data-live-state]")).to_contain_text("Live")
    expect(page.locator("#delivered")).to_have_text("0")
    send(office, study)
    expect(page.locator("#delivered")).to_have_text("1", timeout=SOON_MS)
    expect(page.locator("#waiting")).to_have_text("1", timeout=SOON_MS)
    page.click("#ask")
    expect(page.locator(".concerns")).to_contain_text("pacs does not answer", timeout=SOON_MS)
    look(page, "node", folder)


def find(page: Page, key: str, folder: Path) -> None:
    """By name, and follow its way."""
    page.goto("/studies")
    page.fill("#words", "sample")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    look(page, "studies", folder)
    assert "SAMPLE" not in page.url + page.title()
    page.click(f"text={key}")
    expect(page.locator("ol.way")).to_contain_text("delivered to archive")
    expect(page.locator("ol.way")).to_contain_text("not yet at pacs")
    look(page, "study", folder)


def test_the_day_of_an_administrator(
    office: Office, page: Page, new_study: Callable[[], Sent], tmp_path: Path
) -> None:
    first, second = new_study(), new_study()
    key = uid_hash(first.uid)
    see_it_come(office, page, first, tmp_path)
    find(page, key, tmp_path)

    # the PACS is back: the job that waits need not wait
    with peers.storescp(tmp_path / "pacs", port=office.pacs_port) as pacs:
        page.goto("/jobs?state=waiting")
        look(page, "jobs", tmp_path)
        page.check("input[name=job]")
        page.click("button:text('Retry')")
        look(page, "confirm", tmp_path)
        page.click("button:text('Yes, do it')")
        peers.wait(lambda: len(pacs.files) >= 2, 20, "the result at the PACS")

        upload(page, second, tmp_path)

        # the first one once more
        page.goto(f"/studies/{key}")
        page.click("button:text('Analyse again')")
        page.click("button:text('Yes, do it')")
        expect(page.locator("[role=status]")).to_contain_text("queued for a new analysis")
        before = len(pacs.files)
        peers.wait(lambda: len(pacs.files) > before, 20, "the revised result")
        page.goto(f"/studies/{uid_hash(second.uid)}")
        expect(page.locator("ol.way")).to_contain_text("First image, from PAGES")

    page.goto("/quarantine")
    look(page, "quarantine", tmp_path)


def upload(page: Page, study: Sent, folder: Path) -> None:
    """A study and a file that is none, by the file chooser."""
    page.goto("/upload")
    letter = folder / "letter.txt"
    letter.write_text("Dear colleague")
    page.set_input_files("#files", [*study.paths, letter])
    expect(page.locator("[data-state]")).to_contain_text("Done", timeout=SOON_MS)
    expect(page.locator("[data-count=stored]")).to_have_text(str(len(study.paths)))
    expect(page.locator("[data-refused]")).to_contain_text("letter.txt")
    expect(page.locator("[data-refused]")).to_contain_text("no DICOM file")
    look(page, "upload", folder)


DROP = """name => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(["Dear colleague"], name));
  document.querySelector("[data-upload]").dispatchEvent(
    new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


def test_files_are_dropped_and_an_upload_is_stopped(
    page: Page, new_study: Callable[[], Sent]
) -> None:
    page.goto("/upload")
    name = "<img src=x onerror=alert(1)>.txt"
    page.evaluate(DROP, name)
    expect(page.locator("[data-refused] th")).to_have_text(name)
    page.route("**/upload/*", lambda _: None)  # a network that takes nothing
    study = new_study()
    page.set_input_files("#files", list(study.paths))
    page.click("[data-stop]")
    expect(page.locator("[data-state]")).to_contain_text("Stopped")
    expect(page.locator("[data-count=left]")).to_have_text("0")
    expect(page.locator("[data-count=stored]")).to_have_text("0")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_configuration_is_checked_in_the_browser(
    office: Office, theme: Theme, tmp_path: Path
) -> None:
    with opened(office.browser, office.url, theme) as page:
        log_in(page, "admin", PASSWORD)
        page.goto("/configuration")
        look(page, f"configuration-{theme}", tmp_path)
        if theme == "dark":
            page.click("button:text('Check now')", no_wait_after=True)
            table = page.locator("section", has=page.locator("#check-heading"))
            expect(table).to_contain_text("model bundle", timeout=60_000 * PATIENCE)
            expect(table).to_contain_text("destination archive")
            look(page, "checked", tmp_path)

"""The pages in Firefox: every one of both roles, without a complaint of its scripts."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from msnode.pages.access.local_accounts import LocalAccounts
from msnode.pages.access.roles import ROLES
from tests import clinic_results
from tests.acceptance import peers
from tests.acceptance.npm import npm_install
from tests.pages_site import served, site_in
from tests.patience import PATIENCE

HERE = Path(__file__).parents[1] / "firefox"
CACHE = peers.ROOT / "build" / "firefox"
PASSWORD = "correct horse battery"


def walk(url: str, folder: Path, *paths: str) -> dict[str, object]:
    """Log in and look at pages; what went wrong, and each page's heading and drawn pixels."""
    npm_install(HERE / "package.json", CACHE, "puppeteer-core")
    shutil.copy(HERE / "walk.js", CACHE)
    firefox = peers.tool("firefox-esr", "firefox-esr")
    done = subprocess.run(
        [peers.tool("node", "nodejs"), "walk.js", firefox, url, "anna", PASSWORD, folder, *paths],
        cwd=CACHE, capture_output=True, text=True, timeout=120 * PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.timeout(420)  # the first time npm fetches the driver
def test_firefox_shows_every_page(tmp_path: Path) -> None:
    with site_in(tmp_path, http={"port": peers.free_port()}) as site:
        LocalAccounts(site.database, "test").add("anna", ROLES, PASSWORD)
        made = clinic_results.compared(tmp_path)
        key = clinic_results.keep_result(site, made)
        paths = {
            "/worklist": "Worklist", f"/results/{key}": "", f"/patients/{key}": "",
            "/node": "", "/studies": "Studies", f"/studies/{key}": "", "/jobs": "Jobs",
            "/quarantine": "", "/configuration": "Configuration", "/upload": "Upload",
        }  # fmt: skip
        with served(site) as url:
            told = walk(url, tmp_path, *paths)
    headings, drawn = told["headings"], told["drawn"]
    assert isinstance(headings, dict)
    assert isinstance(drawn, dict)
    assert told["wrong"] == []
    assert headings.keys() == paths.keys()
    assert all(wanted in headings[path] for path, wanted in paths.items()), headings
    assert drawn[f"/results/{key}"] > 50, "grey values in the image of the head"

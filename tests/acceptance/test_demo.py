"""`msnode demo`, as a newcomer runs it: not at a terminal, and what it leaves is a page."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from msnode import report
from tests.patience import PATIENCE

pytestmark = pytest.mark.timeout(420)


class Page(HTMLParser):
    """What a reader sees of a page, and the pictures that it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures: list[str] = []
        self.feed(re.sub("<style>.*?</style>", "", text, flags=re.DOTALL))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += [str(value) for name, value in attrs if (tag, name) == ("img", "src")]


def test_the_demo_says_what_is_known_and_whether_the_node_was_right(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "msnode", "demo", "--folder", tmp_path / "demo"],
        capture_output=True,
        text=True,
        timeout=400 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    for words in (
        "starting a node",
        "waiting for the result",
        "What lies where",
        "What to do next",
    ):
        assert words in said, "also without a terminal"
    tabriz = report.read(tmp_path / "demo/tabriz/report.dcm")
    assert tabriz.decision == "present"
    assert "Right: there is MS" in said
    other = report.read(tmp_path / "demo/ljubljana/report.dcm")
    assert other.decision != "absent"
    assert "manufacturer msnode" not in said
    assert "Within the next twelve months, in 80 of 100 such patients" in said
    page = Page((tmp_path / "demo/index.html").read_text())
    text = " ".join(" ".join(page.words).split())
    for words in (
        "What is known",
        "27 lesions, 3.5 ml",
        "not verified by a physician",
        "All of this patient is invented",
    ):
        assert words in text
    assert re.search(r"2023-01-12 \d\d \d\.\d [1-4] 2024-01-15 \d\d \d\.\d [12] ", text), "new ones"
    assert len(page.pictures) == 4
    for picture in page.pictures:
        with Image.open(tmp_path / "demo" / picture) as montage:
            assert montage.width > 500
    for path in re.findall(r"\S+/demo/\S+", said):
        assert Path(path).exists(), path

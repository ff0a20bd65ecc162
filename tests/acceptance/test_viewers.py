"""The radiologist's side: a PACS takes every object, and OHIF in a browser shows them.

Screenshots are kept for a person to look at: in ``build/screenshots``, or where MSNODE_ARTIFACTS
says.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from msnode import report
from msnode.config import Describe, Form
from msnode.records.results import Priority, Report
from msnode.report.palette import BANNER, LESION
from tests import lesion_reports, reports
from tests.acceptance import peers, viewer

SERIES: list[dict[str, Any]] = [
    {
        "file": "sr",
        "name": "MS AI result (measurements)",
        "expect": [
            "in study: 87.00 %",
            "NOT VERIFIED BY A PHYSICIAN",
            "Result of the whole study, not of a place in the image",
            "Saliency peak, not a lesion",
        ],
    },
    {
        "file": "readable",
        "name": "MS AI report",
        "expect": [
            "NOT VERIFIED BY A PHYSICIAN",
            "MS pattern: present.",
            "Calibrated probability 87% (threshold 50%)",
            "sensitivity 91%, specificity 84%",
            "Suggested reading priority: urgent",
            "Input quality: 36 slices",
            "Processing time",
        ],
    },
    {"file": "montage", "name": "MS AI montage", "expect": ["1/1"]},
    {"file": "overlay", "name": "MS AI saliency overlay", "expect": ["(1/36)"]},
    {
        "file": "other-sr",
        "name": "OTHER routine: Rev. 2 MS AI result (measurements)",
        "expect": ["Probability of MS pattern in study: 14.00 %", "NOT VERIFIED BY A PHYSICIAN"],
    },
    {
        "file": "other-overlay",
        "name": "OTHER routine: Rev. 2 MS AI saliency overlay",
        "expect": ["(1/36)"],
    },
    {
        "file": "lesions-sr",
        "name": "LESIONS urgent: Rev. 3 MS AI result (measurements)",
        "expect": ["Number of lesions: 4.00", "NOT VERIFIED BY A PHYSICIAN"],
        "down": 7,
    },
    {
        "file": "lesions-readable",
        "name": "LESIONS urgent: Rev. 3 MS AI report",
        "expect": ["White matter hyperintensities: 4", "2 new lesions", "1 enlarging"],
    },
    {
        "file": "lesions-montage",
        "name": "LESIONS urgent: Rev. 3 MS AI montage",
        "expect": ["1/1"],
    },
    {
        "file": "lesions-overlay",
        "name": "LESIONS urgent: Rev. 3 MS AI lesion outlines",
        "expect": ["(1/36)"],
        "down": 12,
    },
    {
        "file": "seg",
        "name": "LESIONS urgent: Rev. 3 MS AI lesions",
        "expect": ["Do you want to open this Segmentation?"],
        "down": 1,
    },
    {"file": "map", "name": "MS AI saliency map", "expect": ["W:\n100"], "up": 12},
    {"file": "pdf", "name": "MS AI report (PDF)", "expect": []},
]
"""Of the usual form, of which all objects are opened; and of another result in the other form.
The map comes late: OHIF keeps its colours and window for what is opened after it.
"""

OTHER = Form("comprehensive-3d", "multi-frame")

SCREENSHOTS = peers.ROOT / "build" / "screenshots"
SHOWN = {"montage", "overlay", "other-overlay", "lesions-montage", "lesions-overlay"}
"""Secondary Captures, which every viewer shows."""


@dataclass(frozen=True)
class Opened:
    """The results in the PACS, and what the viewer showed of them."""

    made: Report
    pacs: peers.Orthanc
    pages: viewer.Pages
    pictures: Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, tuple[Path, ...]]:
    """The sample study's full set of objects, and a result with another outcome and form."""
    folder = tmp_path_factory.mktemp("viewers")
    made = reports.real(folder / "source")
    assert made.finding is not None
    paths = report.write(made, Describe(), "full", folder / "results")
    absent = replace(made.finding, decision="absent", probability=0.14)
    calm = Priority(is_urgent=False, why="a rule of the site")
    other = replace(made, generation=2, finding=absent, priority=calm)
    token = Describe(token="OTHER")
    compared = replace(lesion_reports.compared(lesion_reports.outlined(made)), generation=3)
    lesions = report.write(compared, Describe(token="LESIONS"), "standard", folder / "lesions")
    others = report.write(other, token, "standard", folder / "other", OTHER)
    return made, (*paths, *others, *lesions)


@pytest.fixture(scope="module")
def opened(
    written: tuple[Report, tuple[Path, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """Every series, opened one after the other."""
    made, paths = written
    folder = tmp_path_factory.mktemp("ohif")
    pictures = Path(os.environ.get("MSNODE_ARTIFACTS", SCREENSHOTS)) / "ohif"
    with peers.orthanc(folder / "pacs", web_viewer=True) as pacs:
        pacs.upload(made.evidence)
        peers.dcmtk("storescu", "-aec", pacs.ae_title, "127.0.0.1", pacs.port, *paths[:3])
        pacs.upload(paths[3:])
        with viewer.served(pacs) as url:
            pages = viewer.shown(url, made.study_instance_uid, SERIES, pictures)
            yield Opened(made, pacs, pages, pictures)


@pytest.mark.parametrize("series", SERIES, ids=lambda series: str(series["file"]))
def test_ohif_shows(opened: Opened, series: dict[str, Any]) -> None:
    page = opened.pages[series["file"]]
    for words in series["expect"]:
        assert words in page["text"], page["text"][-2000:]
    assert "Error loading" not in page["text"]
    assert page["errors"] == []


def test_ohif_puts_the_measurement_on_its_slice(opened: Opened) -> None:
    assert opened.made.finding is not None
    strongest = max(opened.made.finding.slices, key=lambda found: found.probability)
    text = opened.pages["sr"]["text"]
    assert f"Probability of MS pattern in image: {100 * strongest.probability:.2f} %" in text
    number = pydicom.dcmread(opened.made.evidence[strongest.index]).InstanceNumber
    assert f"I:{number} (" in text


def test_ohif_puts_a_lesion_on_its_slice(opened: Opened) -> None:
    text = opened.pages["lesions-sr"]["text"]
    assert re.search(r"Lesion 1, new, deep white, (left|right), Image 24", text)
    assert "I:24 (" in text


@pytest.mark.parametrize("name", ["lesions-overlay", "seg"])
def test_a_new_lesion_has_its_colour_on_the_screen(opened: Opened, name: str) -> None:
    picture = np.asarray(Image.open(opened.pictures / f"{name}.png").convert("RGB"), int)
    viewport = picture[160:760, 480:1200]
    assert (np.abs(viewport - LESION["new"]).max(axis=2) < 40).sum() > 20


def amber(picture: Path) -> int:
    """How many pixels have the banner's colour."""
    pixels = np.asarray(Image.open(picture).convert("RGB"), int)
    return int((np.abs(pixels - BANNER).max(axis=2) < 12).sum())


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_the_banner_is_on_the_screen(opened: Opened, name: str) -> None:
    assert amber(opened.pictures / f"{name}.png") > 5000


def test_the_map_colours_the_slice(opened: Opened) -> None:
    picture = np.asarray(Image.open(opened.pictures / "map.png").convert("RGB"), int)
    viewport = picture[120:800, 480:1200]
    coloured = (viewport.max(axis=2) - viewport.min(axis=2)) > 25
    assert coloured.sum() > 1000


def test_orthancs_web_viewer_shows_the_secondary_captures(opened: Opened) -> None:
    descriptions = {one["name"]: one["file"] for one in SERIES if one["file"] in SHOWN}
    wanted = [
        {"id": found["ID"], "file": descriptions[name], "expect": [name, "Zoom:"]}
        for found in opened.pacs.get("/series?expand")
        if (name := found["MainDicomTags"].get("SeriesDescription")) in descriptions
    ]
    pictures = opened.pictures.with_name("orthanc")
    pages = viewer.web_viewer(f"http://127.0.0.1:{opened.pacs.http_port}", wanted, pictures)
    assert set(pages) == SHOWN
    for one in wanted:
        page = pages[one["file"]]
        assert all(words in page["text"] for words in one["expect"]), page["text"]
        assert page["errors"] == []
        assert amber(pictures / f"{one['file']}.png") > 5000

"""The radiologist's side: a PACS takes every object, and OHIF in a browser shows them.

Screenshots are kept in the folder that MSNODE_ARTIFACTS names, for a person to look at.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from msnode import report
from msnode.config import Describe
from msnode.records import Report
from tests import reports
from tests.acceptance import peers, viewer

SERIES: list[dict[str, Any]] = [
    {"file": "sr", "name": "MS AI result (measurements)", "expect": ["in study: 87.00 %"]},
    {"file": "readable", "name": "MS AI report", "expect": ["NOT VERIFIED BY A PHYSICIAN"]},
    {"file": "montage", "name": "MS AI montage", "expect": ["1/1"]},
    {"file": "overlay", "name": "MS AI saliency overlay", "expect": ["(1/36)"]},
    {"file": "map", "name": "MS AI saliency map", "expect": ["W:\n100"], "up": 12},
    {"file": "pdf", "name": "MS AI report (PDF)", "expect": []},
]


@dataclass(frozen=True)
class Opened:
    """The results in the PACS, and what the viewer showed of them."""

    made: Report
    pacs: peers.Orthanc
    pages: dict[str, dict[str, Any]]
    pictures: Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, tuple[Path, ...]]:
    """The sample study's full set of objects."""
    folder = tmp_path_factory.mktemp("viewers")
    made = reports.real(folder / "source")
    return made, report.write(made, Describe(), "full", folder / "results")


@pytest.fixture(scope="module")
def opened(
    written: tuple[Report, tuple[Path, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """Every series, opened one after the other."""
    made, paths = written
    folder = tmp_path_factory.mktemp("ohif")
    pictures = Path(os.environ.get("MSNODE_ARTIFACTS", folder)) / "ohif"
    with peers.orthanc(folder / "pacs") as pacs:
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


@pytest.mark.parametrize(
    ("name", "colour"), [("montage", (255, 182, 18)), ("overlay", (255, 182, 18))]
)
def test_the_banner_is_on_the_screen(opened: Opened, name: str, colour: tuple[int, ...]) -> None:
    picture = np.asarray(Image.open(opened.pictures / f"{name}.png").convert("RGB"), int)
    amber = np.abs(picture - colour).max(axis=2) < 12
    assert amber.sum() > 5000


def test_the_map_colours_the_slice(opened: Opened) -> None:
    picture = np.asarray(Image.open(opened.pictures / "map.png").convert("RGB"), int)
    viewport = picture[120:800, 480:1200]
    coloured = (viewport.max(axis=2) - viewport.min(axis=2)) > 25
    assert coloured.sum() > 1000


def test_orthanc_renders_every_secondary_capture(opened: Opened) -> None:
    for instance in opened.pacs.get("/instances?expand"):
        tags = instance["MainDicomTags"]
        if instance.get("ParentSeries") and tags.get("SOPInstanceUID"):
            modality = opened.pacs.get(f"/instances/{instance['ID']}/simplified-tags")["Modality"]
            if modality == "OT":
                found = opened.pacs.get(f"/instances/{instance['ID']}/frames")
                assert found == [0]


def test_dcmtk_archives_take_every_object(
    written: tuple[Report, tuple[Path, ...]], tmp_path: Path
) -> None:
    _, paths = written
    with peers.storescp(tmp_path) as scp:
        done = peers.dcmtk("dcmsend", "-aec", scp.ae_title, "127.0.0.1", scp.port, *paths)
        assert done.returncode == 0, done.stdout
        assert len(scp.files) == len(paths)

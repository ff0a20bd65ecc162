"""Blood smears by the command line, and as a network sees them in training and in service."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage

from msnode import prepare
from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.flow.routes import BLOOD_SMEAR, BRAIN_MRI, fitting_bundle
from msnode.learn.data import examples
from msnode.learn.data.index_csv import Row
from msnode.records.images import InputContract
from tests import smears
from tests.acceptance.small_model import small_model

CONTRACT = InputContract((prepare.SMEAR,), 224, 224, tile_px=96)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def told_by(*arguments: object) -> dict[str, Any]:
    """The one line of JSON among what a command prints."""
    lines = run(*arguments).splitlines()
    told: dict[str, Any] = json.loads(next(line for line in lines if line.startswith("{")))
    return told


def test_predict_tells_the_drawn_classes_apart_and_explain_says_what_it_took(
    smear_bundle: Path, tmp_path: Path
) -> None:
    probabilities = {}
    for nuclei in (True, False):
        image = smears.dicom(smears.drawn(7, nuclei=nuclei, size=(192, 192)))
        smears.write(tmp_path / str(nuclei), [image])
        told = told_by("predict", tmp_path / str(nuclei), "--model", smear_bundle, "--json",
                  "--out", tmp_path / "out", "--profile", "full", "--language", "de")  # fmt: skip
        assert told["analysed"], told["reason"]
        assert len(told["slices"]) == 4
        probabilities[nuclei] = told["probability"]
    assert probabilities[True] > probabilities[False] + 0.2
    written = {path.name for path in (tmp_path / "out").rglob("*")}
    assert {"sr.dcm", "montage.dcm", "readable.dcm"} <= written
    assert not written & {"map.dcm", "gsps.dcm", "overlay.dcm", "seg.dcm", "kos.dcm"}
    document = pydicom.dcmread(next((tmp_path / "out").rglob("sr.dcm")))
    assert "KACHEL" in smears.said(document)
    assert "BLUTZELLEN" in smears.said(document)
    assert "blood smear, 1 images" in run("explain", tmp_path / "True", "--model", smear_bundle)


def test_training_and_service_see_the_same_tiles(tmp_path: Path) -> None:
    """To the bit, of a picture without loss."""
    picture = smears.drawn(3, nuclei=True, size=(200, 130))
    Image.fromarray(picture).save(tmp_path / "p.png")
    row = Row(tmp_path / "p.png", "p", "ms")
    learned = examples.load([row], CONTRACT).pixels.numpy()
    paths = smears.write(tmp_path / "study", [smears.dicom(picture)])
    served = prepare.prepare_smear(paths, CONTRACT).slices.pixels
    assert served.shape == (6, 3, 224, 224), "3 x 2 tiles of 96 pixels"
    assert np.array_equal(learned, served.astype(np.float16))


def test_tiles_lie_where_they_were_cut(tmp_path: Path) -> None:
    picture = np.full((96, 192, 3), 230, np.uint8)
    picture[:, 96:] = smears.drawn(3, nuclei=True)
    slices = prepare.prepare_smear(smears.write(tmp_path, [smears.dicom(picture)]), CONTRACT).slices
    assert len(slices.pixels) == 1, "where no cell lies there is no tile"
    point = slices.locate(0, 111.5, 111.5)
    assert (point.column, point.row) == pytest.approx((143.5, 47.5))


def test_what_holds_no_cells_is_not_analysed(smear_bundle: Path, tmp_path: Path) -> None:
    empty = np.full((200, 200, 3), 230, np.uint8)
    smears.write(tmp_path, [smears.dicom(empty)])
    told = told_by("predict", tmp_path, "--model", smear_bundle, "--json")
    assert (told["analysed"], told["reason"]) == (
        False, "no part of the picture shows enough cells",
    )  # fmt: skip


def test_a_jpeg_of_a_camera_is_decoded_as_others_do(shared: Path, tmp_path: Path) -> None:
    path = sorted((shared / "smears").glob("*.jpg"))[0]
    with Image.open(path) as opened:
        picture = np.asarray(opened.convert("RGB"))
    rows, columns = picture.shape[:2]
    image = smears.dicom(
        path.read_bytes(), VLPhotographicImageStorage, JPEGBaseline8Bit,
        Rows=rows, Columns=columns, SeriesDescription="blood smear",
    )  # fmt: skip
    served = prepare.prepare_smear(smears.write(tmp_path, [image]), CONTRACT).slices.pixels
    plain = prepare.prepare_smear(
        smears.write(tmp_path / "plain", [smears.dicom(picture)]), CONTRACT
    ).slices.pixels
    assert len(served) == len(plain) > 1
    assert np.abs(served - plain).mean() < 0.01


def test_a_bundle_goes_with_its_route_only(smear_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is for blood_smear, not for brain_mri"):
        fitting_bundle(smear_bundle, BRAIN_MRI)
    with pytest.raises(ConfigError, match="is for brain_mri, not for blood_smear"):
        fitting_bundle(small_model(tmp_path), BLOOD_SMEAR)

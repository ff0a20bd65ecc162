"""Pictures of lesions: outlines that hide nothing, turned as radiologists hold them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from msnode import report
from msnode.config import Describe, Form
from msnode.records.results import Report
from msnode.report import contours, lesion_load, lesion_tiles, localised, montage, outline_frames
from msnode.report.lesion_groups import grouped
from msnode.report.palette import BANNER, LESION
from tests import lesion_reports
from tests.unit.report.test_content import job

MakeReport = Callable[..., Report]


@pytest.fixture
def outlined(make_report: MakeReport) -> Report:
    return lesion_reports.painted(make_report(8))


@pytest.fixture
def compared(outlined: Report) -> Report:
    return lesion_reports.compared(outlined)


def test_outlines_leave_every_pixel_of_a_lesion_as_it_is(compared: Report) -> None:
    assert compared.lesions is not None
    assert compared.maps is not None
    lesions = grouped(compared.lesions, compared.maps) > 0
    frames = list(outline_frames.pictures(job(compared, "en")))
    assert compared.slices is not None
    plain = replace(compared.maps, numbers=np.zeros_like(compared.maps.numbers), changes=None)
    without = list(outline_frames.pictures(job(replace(compared, maps=plain), "en")))
    middle = slice(60, 180)
    for index in np.flatnonzero(lesions.any(axis=(0, 1))):
        inside = np.kron(lesions[:, :, index].T, np.ones((2, 2), bool))
        assert frames[index].shape[:2] == inside.shape, "224 columns are drawn at twice the size"
        wide = slice(2 * middle.start, 2 * middle.stop)
        same = (frames[index] == without[index]).all(axis=2)
        assert same[wide][inside[wide]].all()
        assert (~same[wide]).any()


def test_strokes_differ_without_their_colours() -> None:
    mask = np.zeros((40, 40), bool)
    mask[15:25, 15:25] = True
    rings = {name: contours.around(mask, one, 2) for name, one in contours.STROKES.items()}
    middle = {name: ring[20].sum() // 2 for name, ring in rings.items()}
    assert middle == {"rest": 2, "lesion": 2, "gone": 2, "enlarging": 4, "new": 4}
    gaps = {name: np.diff(ring[20].astype(int)).tolist().count(1) for name, ring in rings.items()}
    assert gaps["enlarging"] == 2 * gaps["new"]


def test_frames_lie_on_their_source(compared: Report, tmp_path: Path) -> None:
    paths = report.write(compared, Describe(), "standard", tmp_path)
    found = [pydicom.dcmread(path) for path in paths if path.name.startswith("overlay")]
    assert compared.slices is not None
    assert len(found) == len(compared.slices.frames)
    for one, frame in zip(found, compared.slices.frames, strict=True):
        assert one.SeriesDescription == "MS AI lesion outlines"
        assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == frame.sop_instance_uid
        corner = frame.affine @ [-0.25, -0.25, 0, 1]
        assert np.allclose(np.array(one.ImagePositionPatient, float), corner[:3])
        assert np.allclose(np.array(one.PixelSpacing, float), 0.5)


def test_frames_of_one_object_are_the_same(compared: Report, tmp_path: Path) -> None:
    form = Form(overlay="multi-frame")
    paths = report.write(compared, Describe(), "standard", tmp_path, form)
    [together] = [pydicom.dcmread(path) for path in paths if path.name == "overlay.dcm"]
    frames = np.stack(list(outline_frames.pictures(job(compared, "en"))))
    assert np.array_equal(together.pixel_array, frames)


@pytest.mark.parametrize("language", localised.LANGUAGES)
def test_the_montage_shows_both_scans(compared: Report, language: str) -> None:
    one = job(compared, language)
    picture = montage.draw(one)
    assert picture.shape == (2048, 2048, 3)
    assert (picture[:96] == np.array(BANNER)).all(axis=2).mean() > 0.75
    for name in ("new", "enlarging", "gone"):
        assert (picture == np.array(LESION[name])).all(axis=2).sum() > 100, name


def test_the_slices_shown_are_those_that_changed(compared: Report) -> None:
    one = job(compared, "en")
    chosen = lesion_tiles.chosen(one)
    assert 0 < len(chosen) <= lesion_tiles.PAIRS
    for name in (2, 3, 5):  # new, enlarging, gone
        assert compared.maps is not None
        assert compared.maps.changes is not None
        there = (compared.maps.changes == name).any(axis=(0, 1))
        assert there[chosen].any()


def test_a_scan_without_lesions_has_a_montage_too(outlined: Report) -> None:
    assert outlined.lesions is not None
    assert outlined.maps is not None
    none = replace(outlined.maps, numbers=np.zeros_like(outlined.maps.numbers))
    healthy = replace(outlined, lesions=replace(outlined.lesions, lesions=()), maps=none)
    picture = montage.draw(job(healthy, "en"))
    assert not (picture[440:1500] == np.array(LESION["lesion"])).all(axis=2).any()


def test_tiles_are_turned_whatever_way_the_source_lies(outlined: Report) -> None:
    assert outlined.slices is not None
    assert outlined.maps is not None
    straight = lesion_tiles.stack(job(outlined, "en"))
    turned_frames = []
    for frame in outlined.slices.frames:
        affine = frame.affine[:, [1, 0, 2, 3]].copy()  # columns and rows swapped, rows reversed
        affine[:3, 3] += affine[:3, 1] * (frame.columns - 1)
        affine[:3, 1] *= -1
        turned_frames.append(replace(frame, affine=affine))
    maps = replace(
        outlined.maps,
        **{
            name: np.ascontiguousarray(getattr(outlined.maps, name).transpose(1, 0, 2)[:, ::-1])
            for name in ("flair", "labels", "numbers")
        },
    )
    slices = replace(outlined.slices, frames=tuple(turned_frames))
    shown = lesion_tiles.stack(job(replace(outlined, slices=slices, maps=maps), "en"))
    assert shown.letters == straight.letters == ("R", "L", "A", "P")
    assert np.array_equal(shown.now, straight.now)
    assert np.array_equal(shown.groups, straight.groups)


def test_the_load_compares_only_what_one_network_outlined(compared: Report) -> None:
    one = job(compared, "en")
    assert [round(p.ml, 3) for p in lesion_load.points(one)] == [
        round(p.lesion_ml or 0.0, 3) for p in compared.priors
    ] + [round(one.outlined.ml, 3)]
    assert len(lesion_load.notes(one)) == 1
    first, second = compared.priors
    other = replace(compared, priors=(replace(first, lesion_digest="other"), second))
    assert len(lesion_load.points(job(other, "en"))) == 2
    assert any("other networks" in note for note in lesion_load.notes(job(other, "en")))
    unknown = tuple(replace(p, lesion_ml=None, lesion_digest="") for p in compared.priors)
    assert lesion_load.height(job(replace(compared, priors=unknown), "en")) == 0


def test_a_comparison_without_its_picture_keeps_the_colours_of_change(compared: Report) -> None:
    """The earlier scan may be gone where its numbers are still here."""
    assert compared.maps is not None
    one = job(replace(compared, maps=replace(compared.maps, prior=None)), "en")
    picture = montage.draw(one)
    assert (picture == np.array(LESION["new"])).all(axis=2).sum() > 100
    assert not (picture[440:1560] == np.array(LESION["lesion"])).all(axis=2).any()


def test_nothing_is_drawn_around_nothing() -> None:
    picture = Image.new("RGB", (40, 40))
    contours.draw(picture, {"gone": np.zeros((40, 40), np.bool_)}, 2)
    assert not np.asarray(picture).any()

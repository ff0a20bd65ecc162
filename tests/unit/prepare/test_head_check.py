"""The input gate passes heads and stops phantoms, noise and slabs."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from msnode import sample
from msnode.errors import NotAnalysable
from msnode.prepare import Volume, load_nifti
from msnode.prepare.head import Head, find_head
from msnode.prepare.head_check import check_coverage, check_head, measure
from msnode.records.images import HeadGate, Limit

Body = NDArray[np.float64]
RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def flair() -> Volume:
    return load_nifti(sample.nifti())


def of(flair: Volume, body: Callable[[Body, Body, Body], Body], noise: float = 10) -> Volume:
    """A volume on the sample's grid with a synthetic body; arguments in mm from the centre."""
    slices, rows, columns = flair.voxels.shape
    z, y, x = np.meshgrid(
        (np.arange(slices) - slices / 2) * 4,
        (np.arange(rows) - rows / 2) * 0.72,
        (np.arange(columns) - columns / 2) * 0.72,
        indexing="ij",
    )
    clean = body(x, y, z)
    noisy = np.hypot(clean + RNG.normal(0, noise, clean.shape), RNG.normal(0, noise, clean.shape))
    return replace(flair, voxels=noisy.astype(np.float32))


def test_sample_is_a_head(flair: Volume) -> None:
    head = find_head(flair)
    check_head(head, HeadGate())
    measured = measure(head)
    assert set(measured) == {field.name for field in fields(HeadGate)}
    assert 130 < measured["width"] < 170
    assert 170 < measured["length"] < 210


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (lambda x, y, z: 300.0 * (x**2 + y**2 + z**2 < 85**2), "width of the skull"),
        (
            lambda x, y, z: (
                (300 + 0.3 * x + 0.5 * y) * ((x / 75) ** 2 + (y / 95) ** 2 + (z / 80) ** 2 < 1)
            ),
            "contrast between tissues",
        ),
        (
            lambda x, y, z: (
                300.0
                * ((x / 75) ** 2 + (y / 95) ** 2 < 1)
                * (1 - 0.9 * ((np.abs(x) % 40 < 10) & (np.abs(y) % 40 < 10)))
            ),
            "top area",
        ),
        (lambda x, y, z: 300.0 * ((np.abs(x) < 75) & (np.abs(y) < 95)), "bounding box"),
        (lambda x, y, z: 300.0 * (x**2 + y**2 + z**2 < 40**2), "left-right extent"),
        (lambda x, y, z: 0 * x, "bounding box"),
    ],
    ids=["sphere", "uniform ellipsoid", "rods in a bottle", "box", "small ball", "noise"],
)
def test_what_is_no_head(
    flair: Volume, body: Callable[[Body, Body, Body], Body], fault: str
) -> None:
    with pytest.raises(NotAnalysable, match=fault):
        check_head(find_head(of(flair, body)), HeadGate())


def test_empty_volume(flair: Volume) -> None:
    for constant in (0.0, 500.0):
        empty = replace(flair, voxels=np.full_like(flair.voxels, constant))
        with pytest.raises(NotAnalysable, match="nothing bright"):
            find_head(empty)


def test_slab(flair: Volume) -> None:
    thin = replace(
        flair,
        voxels=flair.voxels[10:20],
        positions=flair.positions[:10],
        frames=flair.frames[10:20],
    )
    with pytest.raises(NotAnalysable, match="the 10 slices cover 40 mm"):
        check_coverage(thin, HeadGate())


def test_a_textured_phantom_with_the_outline_of_a_head(flair: Volume) -> None:
    """Its halves have nothing to do with one another; all else could be a head's."""
    texture = ndimage.gaussian_filter(RNG.normal(size=flair.voxels.shape), (0.5, 3, 3))
    texture *= 0.3 / texture.std()

    def body(x: Body, y: Body, z: Body) -> Body:
        return 300 * ((x / 75) ** 2 + (y / 95) ** 2 + (z / 80) ** 2 < 1) * (1 + texture)

    with pytest.raises(NotAnalysable) as caught:
        check_head(find_head(of(flair, body)), HeadGate())
    assert str(caught.value).startswith(
        "PixelData does not look like a head: likeness of the left and right halves is 0."
    )
    assert ";" not in str(caught.value)


@pytest.mark.parametrize("axes", [(1, 2), (0, 2)], ids=["turned", "tilted"])
def test_a_head_may_lie_askew(flair: Volume, axes: tuple[int, int]) -> None:
    head = find_head(flair)
    low = float(head.image.min())
    askew = Head(
        ndimage.rotate(head.image, 11, axes, order=1, cval=low),
        ndimage.rotate(head.mask.astype(float), 11, axes, order=1) > 0.5,
        head.origin,
        head.threshold,
    )
    assert measure(askew)["halves"] > 0.67


def test_a_head_scores_1_and_less_the_nearer_it_is_to_a_limit(flair: Volume) -> None:
    head = find_head(flair)
    assert check_head(head, HeadGate()) == 1
    fill = measure(head)["fill"]
    for near, score in ((0.04, 0.4), (0.1, 1.0), (0.0, 0.0)):
        above = Limit(fill - near, 1.0, fill - near + 0.1, 0.9)
        assert check_head(head, HeadGate(fill=above)) == pytest.approx(score)
        below = Limit(0.0, fill + near, 0.1, fill + near - 0.1)
        assert check_head(head, HeadGate(fill=below)) == pytest.approx(score)


def test_the_limits_are_the_bundles(flair: Volume) -> None:
    strict = HeadGate(width=Limit(10, 20, 12, 15))
    with pytest.raises(NotAnalysable, match=r"left-right extent in mm is .* expected 10 to 20"):
        check_head(find_head(flair), strict)
    with pytest.raises(ValueError, match="low <= usual_low"):
        Limit(0.5, 1.0, 0.4, 0.9)


def test_brightness_and_offset_do_not_matter(flair: Volume) -> None:
    plain = measure(find_head(flair))
    scaled = measure(find_head(replace(flair, voxels=flair.voxels * 1e-3)))
    assert scaled == pytest.approx(plain, rel=1e-3)
    offset = measure(find_head(replace(flair, voxels=flair.voxels + 1000)))
    assert {k: v for k, v in offset.items() if k != "structure"} == pytest.approx(
        {k: v for k, v in plain.items() if k != "structure"}, rel=0.02
    )

"""The input gate passes heads and stops phantoms, noise and slabs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from msnode import sample
from msnode.errors import NotAnalysable
from msnode.prepare import Volume, gate, load_nifti
from msnode.prepare.gate import LIMITS, check_coverage, check_head, measure
from msnode.prepare.head import find_head

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
    check_head(head)
    measured = measure(head)
    assert set(measured) == set(LIMITS)
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
        check_head(find_head(of(flair, body)))


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
        check_coverage(thin)


def test_a_head_scores_1_and_less_the_nearer_it_is_to_a_limit(
    flair: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = find_head(flair)
    assert check_head(head) == 1
    fill = measure(head)["fill"]
    limits = {name: limit for name, limit in gate.LIMITS.items() if name != "fill"}
    for near, score in ((0.04, 0.4), (0.1, 1.0), (0.0, 0.0)):
        limit = gate.Limit(fill - near, 1.0, fill - near + 0.1, 0.9)
        monkeypatch.setattr(gate, "LIMITS", limits | {"fill": limit})
        assert check_head(head) == pytest.approx(score)
        limit = gate.Limit(0.0, fill + near, 0.1, fill + near - 0.1)
        monkeypatch.setattr(gate, "LIMITS", limits | {"fill": limit})
        assert check_head(head) == pytest.approx(score)


def test_brightness_and_offset_do_not_matter(flair: Volume) -> None:
    plain = measure(find_head(flair))
    scaled = measure(find_head(replace(flair, voxels=flair.voxels * 1e-3)))
    assert scaled == pytest.approx(plain, rel=1e-3)
    offset = measure(find_head(replace(flair, voxels=flair.voxels + 1000)))
    assert {k: v for k, v in offset.items() if k != "structure"} == pytest.approx(
        {k: v for k, v in plain.items() if k != "structure"}, rel=0.02
    )

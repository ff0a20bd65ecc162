"""A head of which a part was not sent, or not scanned: said, and no decision is made."""

from dataclasses import replace

import pytest

from msnode import sample
from msnode.classify import Manifest
from msnode.classify.finding import decide
from msnode.prepare import load_nifti, volume_slices
from msnode.prepare.volume import Volume
from msnode.records.images import InputContract
from msnode.records.results import Scores

CONTRACT = InputContract(("FLAIR",), 64, 64)


@pytest.fixture(scope="module")
def whole() -> Volume:
    return load_nifti(sample.nifti())


def part(volume: Volume, first: float, last: float) -> Volume:
    """The slices between two parts of the height, 0 at the feet."""
    count = len(volume.positions)
    chosen = slice(round(first * count), round(last * count))
    affine = volume.affine.copy()
    affine[:3, 3] = volume.frames[chosen][0].affine[:3, 3]
    positions = volume.positions[chosen] - volume.positions[chosen][0]
    voxels, frames = volume.voxels[chosen], volume.frames[chosen]
    return replace(volume, voxels=voxels, affine=affine, positions=positions, frames=frames)


def test_a_whole_head_has_nothing_cut_off(whole: Volume) -> None:
    assert volume_slices(whole, CONTRACT).doubts == ()


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [(0.0, 0.6, "the top of the head is not in the images"), (0.45, 1.0, "its lower part")],
)
def test_a_part_that_is_missing_is_said(
    whole: Volume, first: float, last: float, says: str
) -> None:
    slices = volume_slices(part(whole, first, last), CONTRACT)
    assert any(says in doubt for doubt in slices.doubts)
    assert set(slices.doubts) <= set(slices.warnings), "the reader is told"


def test_nothing_is_decided_on_a_part_of_a_head(whole: Volume) -> None:
    manifest = Manifest("small", "0", "shallow_cnn", CONTRACT)
    for volume, decided in ((whole, "present"), (part(whole, 0.45, 1.0), "undetermined")):
        slices = volume_slices(volume, CONTRACT)
        count = len(slices.pixels)
        scores = Scores(slices.pixels[:, 0, 0, 0] * 0 + 0.99, slices.pixels[:, 0])
        assert len(scores.probabilities) == count
        assert decide(scores, slices, manifest).decision == decided


def test_slices_that_nobody_reads_are_counted(whole: Volume) -> None:
    slab = replace(CONTRACT, slab_mm=(20.0, 90.0))
    told = [w for w in volume_slices(whole, slab).warnings if "were not analysed" in w]
    assert len(told) == 1
    assert "20 to 90 mm below the top of the head" in told[0]

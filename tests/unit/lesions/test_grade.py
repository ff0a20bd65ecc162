"""A scan grades itself: what is put in is found, or not, as the network can."""

import numpy as np
import pytest
import torch

from msnode.lesions import Bundle, Marks, draw, grade, lesion_bundle
from msnode.lesions.unet import CLASSES, Unet
from tests.unit.lesions.heads import head, lesion_at


class Brighter(Unet):
    """Calls lesion what is brighter than so many medians of the brain."""

    def __init__(self, limit: float) -> None:
        super().__init__((8, 16))
        self.limit = limit

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(len(images), len(CLASSES), *images.shape[2:])
        scores[:, 1] = (images[:, 1] - self.limit) * 50
        return scores


def bundle(limit: float) -> Bundle:
    manifest = lesion_bundle.Manifest("brighter", "1.0.0", threshold=0.5)
    return Bundle(manifest, Brighter(limit).eval())


@pytest.fixture
def marks() -> Marks:
    drawn = head(slices=44, thickness=3.25)
    lesion_at(drawn, (-28.0, 8.0, 34.0), (8.0, 6.0, 2))
    volume = drawn.volume
    return draw(volume.voxels, volume.affine, bundle(1.6))


@pytest.mark.usefixtures("as_drawn")
def test_a_keen_network_finds_what_is_put_in_and_a_dull_one_nothing(marks: Marks) -> None:
    keen, dull = grade(marks, bundle(1.2)), grade(marks, bundle(1.6))
    assert [(one.from_mm, one.to_mm) for one in keen] == [(3, 5), (5, 8), (8, 12)]
    assert all(one.put == 10 for one in keen)
    assert keen[2].found == 10  # the small ones fill too little of a slice
    assert keen[0].found <= keen[1].found <= keen[2].found
    assert sum(one.found for one in dull) == 0
    assert grade(marks, bundle(1.2)) == keen


@pytest.mark.usefixtures("as_drawn")
def test_grading_leaves_the_scan_as_it_was(marks: Marks) -> None:
    before = marks.scan.volume.voxels.copy()
    grade(marks, bundle(1.2))
    assert np.array_equal(marks.scan.volume.voxels, before)

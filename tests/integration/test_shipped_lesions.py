"""The bundle that is shipped, on the scans that are shipped."""

import subprocess
import sys
from typing import cast

import nibabel
import numpy as np
import pytest
from nibabel.spatialimages import SpatialImage

from msnode import lesions
from msnode.lesions.brain import brain_mask
from msnode.lesions.find import find, from_ras, to_ras
from msnode.lesions.objects import Found
from msnode.records.images import Float32Array, Float64Array
from msnode.sample.known_studies import LJUBLJANA, TABRIZ, KnownStudy


def scan(study: KnownStudy) -> tuple[Float32Array, Float64Array]:
    image = cast(SpatialImage, nibabel.load(study.nifti))
    return np.asarray(image.dataobj, np.float32), np.asarray(image.affine, np.float64)


@pytest.fixture(scope="module")
def bundle() -> lesions.Bundle:
    return lesions.load(lesions.SHIPPED)


@pytest.fixture(scope="module")
def tabriz(bundle: lesions.Bundle) -> Found:
    """What is found in the sample of Tabriz."""
    return find(*scan(TABRIZ), bundle)


def test_the_card_names_data_licence_and_the_naive_baseline(bundle: lesions.Bundle) -> None:
    card = (lesions.SHIPPED / "CARD.md").read_text()
    for said in ("MIT", "M. Bashiri", "naive", "95 % interval", "Not a medical device"):
        assert said in card
    assert bundle.manifest.training_data
    assert "Research use only" in bundle.manifest.notice


def test_what_a_person_outlined_is_found(tabriz: Found) -> None:
    """Not a measurement: the network has learned from this scan. It must not have unlearned."""
    drawn = TABRIZ.outlined
    assert drawn is not None
    ours = tabriz.labels == 1
    assert 2 * (ours & drawn).sum() / (ours.sum() + drawn.sum()) > 0.6
    assert {"periventricular", "deep_white"} <= {lesion.region for lesion in tabriz.lesions}


AGAIN = """
import hashlib, sys, torch
from msnode import lesions
from msnode.lesions.find import find
from tests.integration.test_shipped_lesions import scan
from msnode.sample.known_studies import LJUBLJANA
torch.set_num_threads(int(sys.argv[1]))
found = find(*scan(LJUBLJANA), lesions.load(lesions.SHIPPED))
print(hashlib.sha256(found.labels.tobytes() + found.numbers.tobytes()).hexdigest(), found.lesions)
"""


def test_one_core_and_two_outline_the_same_to_the_last_bit() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", AGAIN, threads], capture_output=True, text=True, check=True
        ).stdout
        for threads in ("1", "2")
    }
    assert len(told) == 1


def test_lesions_of_another_hospital_are_of_a_plausible_size(bundle: lesions.Bundle) -> None:
    found = find(*scan(LJUBLJANA), bundle)
    assert 0 < sum(lesion.mm3 for lesion in found.lesions) < 60_000
    assert all(lesion.diameter_mm >= 3 for lesion in found.lesions)


def test_what_is_no_head_has_no_lesions(bundle: lesions.Bundle) -> None:
    affine = np.diag([3.0, 3.0, 6.0, 1.0])
    noise = np.random.default_rng(0).random((64, 64, 20)).astype(np.float32)
    for voxels in (noise, np.ones_like(noise)):
        assert find(voxels, affine, bundle).lesions == ()


def test_a_stripped_scan_in_other_units_has_the_same_lesions(
    bundle: lesions.Bundle, tabriz: Found
) -> None:
    voxels, affine = scan(TABRIZ)
    brain = from_ras(brain_mask(to_ras(voxels, affine)), affine)
    whole = tabriz.labels == 1
    stripped = find(voxels * brain * np.float32(1e-3), affine, bundle).labels == 1
    assert 2 * (whole & stripped).sum() / (whole.sum() + stripped.sum()) > 0.85

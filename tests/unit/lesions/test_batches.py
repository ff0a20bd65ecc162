"""A GPU gets many slices at once, a CPU one; the outlines must not depend on it."""

import numpy as np
import torch

from msnode.lesions.outline import _scores
from msnode.lesions.unet import CLASSES, Unet


def test_slices_in_one_batch_get_what_they_get_alone() -> None:
    torch.manual_seed(0)
    model = Unet((4, 8)).eval()
    images = np.random.default_rng(0).random((5, 4, 32, 16)).astype(np.float32)
    together = _scores(model, images)
    assert together.shape == (5, len(CLASSES), 32, 16)
    alone = np.concatenate([_scores(model, image[None]) for image in images])
    assert np.allclose(together, alone, atol=1e-5)

"""Lesion-filled copies of a cohort's scans: the controls for judging lesion models."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msnode.classify import Classifier
from msnode.learn.evaluate.paired import Scored, score
from msnode.learn.synth import composition
from msnode.learn.train.cohort import Cohort
from msnode.learn.train.loop import device
from msnode.learn.train.recipe import Plan
from msnode.records.images import Float64Array


def possible(cohort: Cohort, plan: Plan, model: Classifier | None) -> bool:
    """Whether twins can be made: a network for lesions, on grey images in [0, 1] with masks."""
    return (
        model is not None
        and plan.target == "lesions"
        and plan.filled
        and cohort.examples.pixels.ndim == 3
        and model.contract.normalisation == "minmax"
    )


def scored(cohort: Cohort, model: Classifier, rows: NDArray[np.int64], seed: int) -> Scored:
    """Logits of some images and of their lesion-filled twins.

    Args:
        cohort: with lesion masks.
        model: takes grey images in [0, 1].
        rows: which images.
        seed: of the filling.
    """
    e = cohort.examples
    chosen = torch.from_numpy(rows)
    pixels = e.pixels[chosen].float().numpy()
    made = composition.make(pixels, e.lesions[chosen].numpy(), np.random.default_rng(seed))

    @torch.inference_mode()
    def predict(images: Tensor) -> Float64Array:
        channels = model.contract.channels
        parts = torch.split(images, 32)
        batches = [part.expand(-1, channels, -1, -1).to(device()) for part in parts]
        out = torch.cat([model(part).cpu().double() for part in batches if len(part)])
        return np.asarray((out[:, 1] - out[:, 0]).numpy(), np.float64)

    persons = np.array(cohort.persons)[rows]
    return score(made, persons, e.heights_mm[rows], predict)

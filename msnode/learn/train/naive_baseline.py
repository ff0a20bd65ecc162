"""The naive classifier: what background, resolution and histogram alone give away.

A model that is not clearly better than this one may have learned the scanner.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from msnode.records.images import Float32Array, Float64Array


def features(pixels: Tensor, acquisition: Float64Array, heights_mm: Float64Array) -> Float64Array:
    """What is known of every image without looking at the anatomy.

    Args:
        pixels: (n, rows, cols) or (n, 3, rows, cols).
        acquisition: (n, 2) source pixel size and slice distance in mm.
        heights_mm: (n,) distance below the study's highest slice.

    Returns:
        (n, 30) float64.
    """
    grey = pixels.float() if pixels.ndim == 3 else pixels.float().mean(1)
    images = np.stack([_of(image) for image in grey.numpy()])
    place = np.column_stack([heights_mm, heights_mm**2 / 100])
    return np.concatenate([images, acquisition, place], 1)


def _of(image: Float32Array) -> Float64Array:
    """(26,): background level, spread and zeros; head's area; 20 bins; sharpness and entropy."""
    frame = np.ones(image.shape, np.bool_)
    edge = max(2, image.shape[0] // 16)
    frame[edge:-edge, edge:-edge] = False
    back = image[frame]
    low, high = float(image.min()), float(image.max())
    scaled = (image - low) / max(high - low, 1e-6)
    histogram = np.histogram(scaled, 20, (0, 1))[0] / image.size
    entropy = -(histogram[histogram > 0] * np.log(histogram[histogram > 0])).sum()
    sharp = np.abs(np.diff(scaled, axis=0)).mean()
    extra = [back.mean(), back.std(), (back == low).mean(), (scaled > 0.1).mean(), sharp, entropy]
    return np.concatenate([extra, histogram])


def scores(
    inputs: Float64Array,
    labels: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
) -> Float64Array:
    """(test,) logits of a logistic regression on the naive features."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.3))
    model.fit(inputs[train], labels[train])
    return np.asarray(model.decision_function(inputs[test]), np.float64)

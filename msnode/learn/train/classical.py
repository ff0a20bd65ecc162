"""SVM and decision tree, the shallow CNN's baselines, on hand-crafted image features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from msnode.errors import ConfigError
from msnode.records.images import Float32Array, Float64Array

KINDS: dict[str, tuple[Any, dict[str, object]]] = {
    "svm": (SVC, {"C": 10.0, "class_weight": "balanced"}),
    "decision_tree": (
        DecisionTreeClassifier,
        {"min_samples_leaf": 5, "random_state": 0, "class_weight": "balanced"},
    ),
}
"""scikit-learn's class and our defaults by name."""


def features(pixels: Tensor) -> Float64Array:
    """Intensity histogram, gradient directions and coarse layout of every image.

    Args:
        pixels: (n, rows, cols) or (n, 3, rows, cols).

    Returns:
        (n, 120) float64.
    """
    grey = pixels.float() if pixels.ndim == 3 else pixels.float().mean(1)
    return np.stack([_of(image) for image in grey.numpy()])


def _of(image: Float32Array) -> Float64Array:
    """(120,) features: 32 of the histogram, 24 of gradients, 64 block means."""
    low, high = float(image.min()), float(image.max())
    scaled = (image - low) / max(high - low, 1e-6)
    histogram = np.histogram(scaled, 32, (0, 1))[0] / image.size
    rows, cols = np.gradient(ndimage.gaussian_filter(scaled, 1.0))
    strength, direction = np.hypot(rows, cols), np.arctan2(rows, cols)
    angles = np.histogram(direction, 16, (-np.pi, np.pi), weights=strength)[0]
    sizes = np.quantile(strength, np.linspace(0.3, 1, 8))
    zoom = np.array([8, 8]) / image.shape
    blocks = ndimage.zoom(ndimage.uniform_filter(scaled, tuple(1 / zoom)), zoom, order=1)
    return np.concatenate([histogram, angles / image.size, sizes, blocks.ravel()])


def fit(
    name: str, inputs: Float64Array, labels: NDArray[np.int64], arguments: dict[str, object]
) -> Pipeline:
    """Train a baseline.

    Args:
        name: ``svm`` (radial kernel) or ``decision_tree``.
        inputs: (n, features).
        labels: (n,) 0 or 1.
        arguments: of scikit-learn's class; they override our defaults.

    Raises:
        ConfigError: one class only, or an argument the class does not have.
    """
    if len(np.unique(labels)) < 2:
        raise ConfigError("the training images are all of one class; add persons of the other")
    kind, defaults = KINDS[name]
    try:
        model = kind(**{**defaults, **arguments})
    except TypeError as error:
        raise ConfigError(f"arguments of {name}: {error}") from error
    pipeline: Pipeline = make_pipeline(StandardScaler(), model)
    return pipeline.fit(inputs, labels)


def decide(model: Pipeline, inputs: Float64Array) -> Float64Array:
    """(n,) logit-like scores, 0 at the model's own boundary."""
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(inputs), np.float64)
    chance = np.clip(model.predict_proba(inputs)[:, 1], 0.01, 0.99)
    return np.asarray(np.log(chance / (1 - chance)), np.float64)

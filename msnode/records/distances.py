"""Euclidean distances in masks, computed where the mask is: most of an image is far from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.records.images import Float64Array

Mask = NDArray[np.bool_]
Spacing = Sequence[float] | NDArray[np.floating[Any]]


def depth(mask: Mask, spacing: Spacing | None = None) -> Float64Array:
    """How far it is from each True to the nearest False; 0 at the others.

    Args:
        mask: of any dimension; beyond its edge there is nothing.
        spacing: of neighbours along each axis; by default 1.
    """
    deep = np.zeros(mask.shape)
    if mask.any():
        box = _box(mask, np.ones(mask.ndim))
        deep[box] = ndimage.distance_transform_edt(mask[box], spacing)
    return deep


def away(mask: Mask, most: float, spacing: Spacing | None = None) -> Float64Array:
    """How far it is from each False to the nearest True; infinite where that is beyond ``most``.

    Args:
        mask: of any dimension.
        most: distance up to which it is told, and a little beyond.
        spacing: of neighbours along each axis; by default 1.
    """
    far = np.full(mask.shape, np.inf)
    if mask.any():
        steps = most / np.asarray(spacing if spacing is not None else np.ones(mask.ndim))
        box = _box(mask, np.ceil(steps))
        far[box] = ndimage.distance_transform_edt(~mask[box], spacing)
    return far


def _box(mask: Mask, margin: Float64Array) -> tuple[slice, ...]:
    """The smallest box around what is True, and a margin as far as the array goes."""
    (tight,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(
        slice(max(0, side.start - int(more)), side.stop + int(more))
        for side, more in zip(tight, margin, strict=True)
    )

"""What a network that outlines makes of volumes, beside what was drawn and the naive threshold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from msnode.learn.evaluate import overlap
from msnode.learn.evaluate.overlap import Examined, Rated
from msnode.learn.train.label_maps import UNKNOWN, Labelled
from msnode.lesions.inputs import Planes
from msnode.lesions.objects import CONNECTED, without_short
from msnode.lesions.outline import LESION, VENTRICLE, probabilities
from msnode.lesions.unet import Unet
from msnode.records.images import Float32Array

THRESHOLDS = np.linspace(0.2, 0.8, 13)
BRIGHTNESS = np.linspace(1.1, 2.0, 19)
"""Thresholds that are tried on the training persons: of the probability, of the naive baseline."""


def maps(model: Unet, volumes: Sequence[Labelled]) -> list[Float32Array]:
    """Probability of a lesion, (x, y, z) on every volume's grid."""
    return [_map(model, v, v.planes)[LESION] for v in volumes]


def _map(model: Unet, v: Labelled, seen: Planes) -> Float32Array:
    """(4, x, y, z) probabilities on a volume's own grid, of its planes or others of its scan."""
    shape = v.volume.voxels.shape[0], v.volume.voxels.shape[1]
    return probabilities(seen, model, shape).transpose(0, 2, 3, 1)


def best_threshold(found: Sequence[Float32Array], volumes: Sequence[Labelled]) -> float:
    """With the best mean Dice on persons that were learned from: never on those to be tested."""
    means = [
        np.mean([overlap.dice(p >= t, v.lesions) for p, v in zip(found, volumes, strict=True)])
        for t in THRESHOLDS
    ]
    return float(THRESHOLDS[int(np.argmax(means))])


def naive_threshold(volumes: Sequence[Labelled]) -> float:
    """Likewise of the brightness."""
    means = [
        np.mean([overlap.dice(_brighter(v, t), v.labels == LESION) for v in volumes])
        for t in BRIGHTNESS
    ]
    return float(BRIGHTNESS[int(np.argmax(means))])


def _brighter(v: Labelled, threshold: float) -> NDArray[np.bool_]:
    """The naive baseline: what is bright in the brain; scalp and eyes are spared it."""
    return np.asarray((v.planes.pixels >= threshold) & v.inside, np.bool_)


def examined(model: Unet, v: Labelled, threshold: float, brightness: float) -> Examined:
    """One test person."""

    def found(seen: Planes) -> tuple[Rated, ...]:
        probability = _map(model, v, seen)[LESION]
        long = without_short(probability >= threshold, v.volume)
        return overlap.rated(probability, long, v.lesions)

    ventricles = None
    if not (v.labels == UNKNOWN).any():
        best = probabilities(v.planes, model, v.labels.shape[1:]).argmax(axis=0)
        ventricles = overlap.dice(best == VENTRICLE, v.labels == VENTRICLE)
    return Examined(
        v.row.person,
        v.volume.voxel_mm3,
        lesions=ndimage.label(v.lesions, CONNECTED)[1],
        voxels=int(v.lesions.sum()),
        scan=found(v.planes),
        stripped=found(v.stripped) if v.row.brain is not None else None,
        healed=found(v.healed),
        ventricles=ventricles,
        naive=overlap.dice(_brighter(v, brightness), v.labels == LESION),
    )

"""Outlines a volume: what each voxel is, and how probable a lesion is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread

import numpy as np
import torch
from numpy.typing import NDArray

from msnode.errors import TryLater
from msnode.lesions.inputs import Planes, at, planes
from msnode.lesions.unet import CLASSES, Unet
from msnode.records.images import Float32Array
from msnode.records.ras_volume import RasVolume

LESION, VENTRICLE, RIM = 1, 2, 3
"""In label maps, in the order of `unet.CLASSES`."""
GPU_SLICES = 32
"""Slices at once on a GPU; less than 1 GiB of its memory."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """What was outlined in a volume, on its own grid.

    Attributes:
        labels: (x, y, z) uint8, 0 rest, 1 lesion, 2 ventricle, 3 normal rim.
        probability: (x, y, z) float32 in [0, 1], of a lesion.
    """

    labels: NDArray[np.uint8]
    probability: Float32Array


def outline(volume: RasVolume, model: Unet, threshold: float) -> Outlines:
    """Outline a FLAIR volume.

    Args:
        volume: as it was acquired, in RAS order.
        model: in evaluation mode.
        threshold: probability from which a voxel is lesion.

    Raises:
        NotAnalysable: nothing in it is bright.
        TryLater: the GPU has no memory left, or failed.
    """
    seen = planes(volume)
    slices, shape = len(seen.pixels), volume.voxels.shape[:2]
    labels, lesion = np.empty((slices, *shape), np.uint8), np.empty((slices, *shape), np.float32)

    def keep(number: int, scores: Float32Array) -> None:
        lesion[number] = scores[LESION]
        others = torch.from_numpy(scores)
        others[LESION] = 0
        labels[number] = np.where(lesion[number] >= threshold, LESION, others.argmax(0).numpy())

    _score_all(seen, model, shape, keep)
    axes = (1, 2, 0)  # (slices, x, y) to (x, y, slices)
    return Outlines(labels.transpose(axes), lesion.transpose(axes))


def probabilities(seen: Planes, model: Unet, shape: tuple[int, ...]) -> Float32Array:
    """Probabilities of the classes.

    Args:
        seen: the planes.
        model: in evaluation mode.
        shape: rows and columns of the result, over the same field of view.

    Returns:
        (4, slices, rows, cols) float32; the same to the last bit on any number of cores.

    Raises:
        TryLater: the GPU has no memory left, or failed.
    """
    maps = np.empty((len(CLASSES), len(seen.pixels), *shape), np.float32)

    def keep(number: int, scores: Float32Array) -> None:
        maps[:, number] = scores

    _score_all(seen, model, shape, keep)
    return maps


def _score_all(
    seen: Planes,
    model: Unet,
    shape: tuple[int, ...],
    keep: Callable[[int, Float32Array], None],
) -> None:
    """Score every slice; ``keep`` gets (4, rows, cols) of each, which it may change.

    Raises:
        TryLater: the GPU has no memory left, or failed.
    """
    slices, rows, cols = seen.pixels.shape
    area = _around(seen, model.multiple)

    def some(numbers: range) -> None:
        images = np.stack([_padded(seen.input(number), area) for number in numbers])
        for number, scores in zip(numbers, _scores(model, images), strict=True):
            whole = np.zeros((len(CLASSES), rows, cols), np.float32)
            whole[0] = 1
            _put(whole, scores, area)
            keep(number, whole if shape == (rows, cols) else at(whole, shape))

    if next(model.parameters()).device.type == "cuda":
        for first in range(0, slices, GPU_SLICES):
            some(range(first, min(first + GPU_SLICES, slices)))
        return
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=_alone, initargs=(threads,)) as pool:
        # one by one; listed, so that an error is raised here
        list(pool.map(some, (range(number, number + 1) for number in range(slices))))


def _alone(threads: int) -> None:
    """Compute on this thread alone: a sum that is divided among cores has other last digits.

    The number of threads is one for each calling thread, and a default for those to come, which
    is put back.
    """
    torch.get_num_threads()  # else the default would be taken at the first computation
    torch.set_num_threads(1)
    restore = Thread(target=torch.set_num_threads, args=(threads,))
    restore.start()
    restore.join()


@torch.inference_mode()
def _scores(model: Unet, images: Float32Array) -> Float32Array:
    """(n, 4, rows, cols) probabilities of some slices."""
    place = next(model.parameters()).device
    try:
        batch = torch.from_numpy(images).to(place, memory_format=torch.channels_last)
        scores: Float32Array = model(batch).softmax(1).cpu().numpy()
    except (torch.OutOfMemoryError, torch.AcceleratorError) as error:
        raise TryLater(f"{place}: {type(error).__name__} while outlining") from error
    return scores


Area = tuple[slice, slice]


def _around(seen: Planes, multiple: int) -> Area:
    """The rows and columns of the head, to multiples of what the network can take."""
    shown = np.asarray((seen.pixels > 0.1).any(axis=0), np.bool_)
    if not shown.any():
        shown = np.ones_like(shown)
    rows, cols = (np.asarray(shown.any(axis=axis), np.bool_) for axis in (1, 0))
    return _span(rows, multiple), _span(cols, multiple)


def _span(shown: NDArray[np.bool_], multiple: int) -> slice:
    """From the first to the last, and on to a multiple; may end behind the image."""
    places = np.flatnonzero(shown)
    first, count = int(places[0]), int(places[-1] - places[0] + 1)
    return slice(first, first + -(-count // multiple) * multiple)


def _padded(image: Float32Array, area: Area) -> Float32Array:
    """(channels, rows, cols) of an area that may go beyond the image; 0 there."""
    cut = image[:, *area]
    missing = [(0, s.stop - s.start - n) for s, n in zip(area, cut.shape[1:], strict=True)]
    return np.pad(cut, [(0, 0), *missing])


def _put(whole: Float32Array, scores: Float32Array, area: Area) -> None:
    """Write an area's scores where they belong, without what lies beyond the image."""
    place = whole[:, *area]
    place[:] = scores[:, : place.shape[1], : place.shape[2]]

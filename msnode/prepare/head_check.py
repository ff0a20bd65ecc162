"""The input gate: does the volume look like an adult's head?

A header's BodyPartExamined is not proof (phantoms are scanned as BRAIN). The gate is a first
line of defence against what is plainly no head: phantoms, noise, other body parts, a slab too
thin to judge. It does not know the sequence, passes heads with and without their skull, and
makes no statement on image quality. Its limits are the model bundle's.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from msnode.errors import NotAnalysable
from msnode.prepare.head import GRID_MM, Head, find_head
from msnode.prepare.volume import Volume
from msnode.records.images import Float32Array, Float64Array, HeadGate, Limit
from msnode.records.sentences import Sentence

#: The upper part of a head, which is that of the skull and not of face and neck.
SKULL_MM = 112.0
#: A head may lie turned about the body's and the nose's axis by so many degrees, and its midline
#: be off the outline's middle by so many grid points.
TURNS_DEG, TILTS_DEG, SHIFTS = range(-24, 25, 6), range(-12, 13, 6), range(-3, 4)


def admit(volume: Volume, gate: HeadGate) -> tuple[Head, float, dict[str, float]]:
    """The head in a volume, the score that ``check_head`` gives it, and what `measure` finds.

    Raises:
        NotAnalysable: the slab is too thin, nothing is in it, or it does not look like a head.
    """
    check_coverage(volume, gate)
    head = find_head(volume)
    measured = measure(head)
    return head, _judged(measured, gate), measured


def check_coverage(volume: Volume, gate: HeadGate) -> None:
    """Refuse too thin a slab before anything is looked for in it.

    Raises:
        NotAnalysable: saying how thin.
    """
    covered, least = float(volume.positions[-1]) + volume.thickness_mm, gate.coverage.low
    if covered < least:
        raise NotAnalysable(
            Sentence("thin_slab", count=len(volume.positions), covered=covered, least=least)
        )


def check_head(head: Head, gate: HeadGate) -> float:
    """Refuse what does not look like a head.

    Returns:
        The score of the value that is least like a real head's: 1 within the usual range of
        every value, falling to 0 where one reaches its limit.

    Raises:
        NotAnalysable: saying which measured values are out of which limits.
    """
    return _judged(measure(head), gate)


def _judged(measured: dict[str, float], gate: HeadGate) -> float:
    """See `check_head`."""
    if faults := list(_faults(measured, gate)):
        raise NotAnalysable(Sentence("no_head", faults=faults))
    return min(_score(value, getattr(gate, name)) for name, value in measured.items())


def measure(head: Head) -> dict[str, float]:
    """The values that `HeadGate` limits, measured on a thumbnail along the patient's axes."""
    low, high = np.argwhere(head.mask).min(axis=0), np.argwhere(head.mask).max(axis=0) + 1
    box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    body = head.mask[box]
    skull = body[-round(SKULL_MM / GRID_MM) :].any(axis=0)
    length, width = np.ptp(np.argwhere(skull), axis=0) + 1
    mirrored = body[:, :, ::-1]
    areas = body.sum(axis=(1, 2))
    coverage, depth, breadth = (GRID_MM * (high - low)).tolist()
    return {
        "width": breadth,
        "length": depth,
        "coverage": coverage,
        "roundness": float(width / length),
        "fill": float(body.mean()),
        "symmetry": float((body & mirrored).sum() / (body | mirrored).sum()),
        "structure": _structure(head),
        # a slab below the vertex has no dome to show
        "dome": float(areas[-3:].mean() / areas.max()) if coverage >= SKULL_MM else 0.0,
        "halves": _halves(head),
    }


def _structure(head: Head) -> float:
    """Standard deviation of what a 20 mm mean leaves over, inside the body, by its brightness."""
    core = ndimage.binary_erosion(head.mask, iterations=3)
    if not core.any():
        return 0.0
    detail = head.image - ndimage.uniform_filter(head.image, 5)
    return float(detail[core].std() / max(abs(float(head.image[core].mean())), 1e-6))


def _halves(head: Head) -> float:
    """How well the tissues left of the midline match those right of it: a correlation.

    A phantom may have the outline of a head, but not its two halves. Structure of 4 to 20 mm
    counts, inside the skull only, in its upper part; the midline that fits best wins.
    """
    planes = np.flatnonzero(head.mask.any(axis=(1, 2)))[-round(SKULL_MM / GRID_MM) :]
    inside = ndimage.binary_erosion(head.mask, iterations=4)[planes].astype(float)
    if not inside.any():
        return 0.0
    fine, coarse = (_mean(head.image[planes], inside, sigma) for sigma in (1.0, 5.0))
    both = np.stack([(fine - coarse) * inside, inside])
    for axes, angles in ((2, 3), TURNS_DEG), ((1, 3), TILTS_DEG):
        turned = [ndimage.rotate(both, angle, axes, order=1) for angle in angles]
        both = max(turned, key=_mirrored)
    return _mirrored(both)


def _mean(image: Float32Array, inside: Float64Array, sigma: float) -> Float64Array:
    """Gaussian means of what lies inside."""
    weight = ndimage.gaussian_filter(inside, sigma)
    mean: Float64Array = ndimage.gaussian_filter(image * inside, sigma) / np.maximum(weight, 1e-3)
    return mean


def _mirrored(both: Float64Array) -> float:
    """Correlation of (detail, inside) with its mirror image, about the best of some midlines."""
    return max(_correlation(both, np.roll(both[..., ::-1], shift, axis=3)) for shift in SHIFTS)


def _correlation(one: Float64Array, other: Float64Array) -> float:
    """Of the details, where both are inside."""
    shared = (one[1] > 0.9) & (other[1] > 0.9)
    a, b = one[0][shared], other[0][shared]
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm else 0.0


def _faults(measured: dict[str, float], gate: HeadGate) -> Iterator[Sentence]:
    """One clause for each value out of its limits; the phrase ``gate_<name>`` says which."""
    for name, value in measured.items():
        limit: Limit = getattr(gate, name)
        if not limit.low <= value <= limit.high:
            what = Sentence(f"gate_{name}")
            yield Sentence("off_limits", what=what, value=value, low=limit.low, high=limit.high)


def _score(value: float, limit: Limit) -> float:
    """1 within the usual range, linearly down to 0 at the limit."""
    if value < limit.usual_low:
        return (value - limit.low) / (limit.usual_low - limit.low)
    if value > limit.usual_high:
        return (limit.high - value) / (limit.high - limit.usual_high)
    return 1.0

"""The input gate: does the volume look like an adult's head?

A header's BodyPartExamined is not proof (phantoms are scanned as BRAIN). The gate is a first
line of defence against what is plainly no head: phantoms, noise, other body parts, a slab too
thin to judge. It does not know the sequence, passes heads with and without their skull, and
makes no statement on image quality. Its limits stand well outside of what 60 real volumes of
five scanners measured (2026, given with each limit as the usual range).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from msnode.errors import NotAnalysable
from msnode.prepare.head import GRID_MM, Head
from msnode.prepare.volume import Volume
from msnode.sentences import Sentence

#: The upper part of a head, which is that of the skull and not of face and neck.
SKULL_MM = 112.0


class Limit(NamedTuple):
    """What a measured value must lie within, and the range that real heads had."""

    low: float
    high: float
    usual_low: float
    usual_high: float


LIMITS = {
    "width": Limit(110, 205, 128, 180),
    "length": Limit(140, 255, 164, 228),
    "coverage": Limit(60, 1000, 124, 172),
    "roundness": Limit(0.62, 0.95, 0.73, 0.86),
    "fill": Limit(0.30, 0.75, 0.43, 0.64),
    "symmetry": Limit(0.70, 1.0, 0.84, 0.97),
    "structure": Limit(0.06, 2.0, 0.10, 0.32),
    "dome": Limit(0.0, 0.65, 0.0, 0.46),
}
"""By the name of the value; the phrase ``gate_<name>`` says what it is."""


def check_coverage(volume: Volume) -> None:
    """Refuse too thin a slab before anything is looked for in it.

    Raises:
        NotAnalysable: saying how thin.
    """
    covered = float(volume.positions[-1]) + volume.thickness_mm
    if covered < LIMITS["coverage"].low:
        raise NotAnalysable(
            Sentence(
                "thin_slab",
                count=len(volume.positions),
                covered=covered,
                least=LIMITS["coverage"].low,
            )
        )


def check_head(head: Head) -> float:
    """Refuse what does not look like a head.

    Returns:
        The score of the value that is least like a real head's: 1 within the usual range of
        every value, falling to 0 where one reaches its limit.

    Raises:
        NotAnalysable: saying which measured values are out of which limits.
    """
    measured = measure(head)
    if faults := list(_faults(measured)):
        raise NotAnalysable(Sentence("no_head", faults=faults))
    return min(_score(value, LIMITS[name]) for name, value in measured.items())


def measure(head: Head) -> dict[str, float]:
    """The values of `LIMITS`, measured on a thumbnail along the patient's axes."""
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
    }


def _structure(head: Head) -> float:
    """Standard deviation of what a 20 mm mean leaves over, inside the body, by its brightness."""
    core = ndimage.binary_erosion(head.mask, iterations=3)
    if not core.any():
        return 0.0
    detail = head.image - ndimage.uniform_filter(head.image, 5)
    return float(detail[core].std() / max(abs(float(head.image[core].mean())), 1e-6))


def _faults(measured: dict[str, float]) -> Iterator[Sentence]:
    """One clause for each value out of its limits."""
    for name, (low, high, _, _) in LIMITS.items():
        if not low <= measured[name] <= high:
            what = Sentence(f"gate_{name}")
            yield Sentence("off_limits", what=what, value=measured[name], low=low, high=high)


def _score(value: float, limit: Limit) -> float:
    """1 within the usual range, linearly down to 0 at the limit."""
    if value < limit.usual_low:
        return (value - limit.low) / (limit.usual_low - limit.low)
    if value > limit.usual_high:
        return (limit.high - value) / (limit.high - limit.usual_high)
    return 1.0

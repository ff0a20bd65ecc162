"""The input gate: does the volume look like an adult's head?

A header's BodyPartExamined is not proof (phantoms are scanned as BRAIN). The gate is a first
line of defence against what is plainly no head: phantoms, noise, other body parts, a slab too
thin to judge. It does not know the sequence, passes heads with and without their skull, and
makes no statement on image quality. Its limits stand well outside of what 60 real volumes of
five scanners measured (2026, given with each limit as lowest to highest).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from msnode.errors import NotAnalysable
from msnode.prepare.head import GRID_MM, Head
from msnode.prepare.volume import Volume

#: The upper part of a head, which is that of the skull and not of face and neck.
SKULL_MM = 112.0


class Limit(NamedTuple):
    """What a measured value must lie within, and its name for the reader."""

    low: float
    high: float
    what: str


LIMITS = {
    "width": Limit(110, 205, "left-right extent in mm"),  # 128 to 180
    "length": Limit(140, 255, "front-back extent in mm"),  # 164 to 228
    "coverage": Limit(60, 1000, "head-foot extent in mm"),  # 124 to 172
    "roundness": Limit(0.62, 0.95, "width of the skull by its length"),  # 0.73 to 0.86
    "fill": Limit(0.30, 0.75, "part of its bounding box that the body fills"),  # 0.43 to 0.64
    "symmetry": Limit(0.70, 1.0, "overlap of the outline with its mirror image"),  # 0.84 to 0.97
    "structure": Limit(0.06, 2.0, "contrast between tissues inside the body"),  # 0.10 to 0.32
    "dome": Limit(0.0, 0.65, "top area by largest area"),  # 0.03 to 0.46
}


def check_coverage(volume: Volume) -> None:
    """Refuse too thin a slab before anything is looked for in it.

    Raises:
        NotAnalysable: saying how thin.
    """
    covered = float(volume.positions[-1]) + volume.thickness_mm
    if covered < LIMITS["coverage"].low:
        raise NotAnalysable(
            f"ImagePositionPatient: the {len(volume.positions)} slices cover {covered:.0f} mm,"
            f" less than the {LIMITS['coverage'].low:.0f} mm that show a head"
        )


def check_head(head: Head) -> None:
    """Refuse what does not look like a head.

    Raises:
        NotAnalysable: saying which measured values are out of which limits.
    """
    faults = "; ".join(_faults(measure(head)))
    if faults:
        raise NotAnalysable(f"PixelData does not look like a head: {faults}")


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


def _faults(measured: dict[str, float]) -> Iterator[str]:
    """One clause for each value out of its limits."""
    for name, (low, high, what) in LIMITS.items():
        if not low <= measured[name] <= high:
            yield f"{what} is {measured[name]:.3g}, expected {low:g} to {high:g}"

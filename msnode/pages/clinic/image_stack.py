"""The images of a result on the server: read once, then a slice costs a copy."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from msnode.pages.clinic.outline_paths import Paths, gone_numbers, paths, seen_best
from msnode.records.images import Float64Array
from msnode.report import geometry
from msnode.report.lesion_groups import group
from msnode.store.visit_images import ARRAYS, VisitImages, VisitRecord, visit_images, visit_record

MOST_BYTES = 512 * 1024**2
"""Of arrays that are held: some six results of 3D FLAIR."""
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
Which = Literal["now", "prior"]
Plane = Literal["axial", "coronal", "sagittal"]


@dataclass(frozen=True)
class ImageStack:
    """The images of one result.

    Attributes:
        record: what is known of them.
        images: the arrays.
        tag: changes when they do.
    """

    record: VisitRecord
    images: VisitImages
    tag: str

    def slice(self, which: Which, index: int) -> bytes | None:
        """A slice as (rows, columns) uint16, little endian; None where there is none."""
        voxels = self.images.flair if which == "now" else self.images.prior
        if voxels is None or not 0 <= index < voxels.shape[2]:
            return None
        return np.ascontiguousarray(voxels[:, :, index].T).astype("<u2").tobytes()

    @property
    def affine(self) -> Float64Array:
        """(4, 4) from indices to LPS mm."""
        return RAS_TO_LPS @ self.record.affine

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Between columns, rows and slices."""
        column, row, between = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return column, row, between

    @property
    def sides(self) -> dict[str, str]:
        """Which side of the patient is at the left, right, top and bottom of each image."""
        right, down = geometry.sides(self.affine)
        left, top = geometry.opposite(right), geometry.opposite(down)
        return {"left": left, "right": right, "top": top, "bottom": down}

    @property
    def plane(self) -> Plane:
        """The plane of the acquisition, by its normal."""
        normal = np.cross(self.affine[:3, 0], self.affine[:3, 1])
        planes: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
        return planes[int(np.abs(normal).argmax())]

    @property
    def along(self) -> tuple[str, str]:
        """From which side of the patient to which the slices run."""
        to = geometry.sides(self.affine[:, [2, 0, 1, 3]])[0]
        return geometry.opposite(to), to

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether columns and rows are shown the other way round, as readers expect a plane.

        Axial: right at the left, front at the top; coronal: right at the left, head at the top;
        sagittal: front at the left, head at the top. Images whose rows and columns are exchanged
        stay as they are. Nothing is resampled.
        """
        wanted = {"axial": "RA", "coronal": "RH", "sagittal": "AH"}[self.plane]
        left, top = self.sides["left"], self.sides["top"]
        return geometry.opposite(left) == wanted[0], geometry.opposite(top) == wanted[1]

    @property
    def sides_shown(self) -> dict[str, str]:
        """As `sides`, of the images as they are shown."""
        sides, (columns, rows) = self.sides, self.flips
        across = ("right", "left") if columns else ("left", "right")
        down = ("bottom", "top") if rows else ("top", "bottom")
        names = ("left", "right", "top", "bottom")
        return {name: sides[of] for name, of in zip(names, (*across, *down), strict=True)}

    @cached_property
    def windows(self) -> dict[str, tuple[float, float]]:
        """Darkest and brightest value shown, by a value between the head's middle and bright ones.

        Fat outshines the brain in FLAIR; a window up to it would leave the brain dark.
        """
        sample = self.images.flair[::2, ::2].astype(np.float32) * self.record.scale
        top = max(float(np.percentile(sample, 99.9)), 1e-3)
        head = sample[sample > 0.1 * top]
        middle = float(np.percentile(head, 65)) if head.size else top / 2
        return {
            "default": (0.0, min(1.9 * middle, top)),
            "lesions": (0.6 * middle, max(min(1.7 * middle, top), 0.7 * middle)),
            "wide": (0.0, top),
        }

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """What of the images shows something: first and last column, first and last row."""
        bright = self.images.flair.max(axis=2) * self.record.scale
        shown = bright > 0.25 * self.windows["default"][1]
        if not shown.any():
            return 0, shown.shape[0] - 1, 0, shown.shape[1] - 1
        # a line with a few bright pixels is noise or ringing, not head
        lines = (shown.sum(axis=axis) for axis in (1, 0))
        columns, rows = (np.flatnonzero(line > 0.05 * line.max()) for line in lines)
        return int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])

    @cached_property
    def places(self) -> dict[int, tuple[int, float, float]]:
        """See `outline_paths.seen_best`."""
        return seen_best(self.images.numbers)

    @cached_property
    def outlines(self) -> dict[str, Paths]:
        """Of this scan (``now``), of what is gone since (``gone``), and of the earlier scan."""
        images, groups = self.images, groups_of(self.record)
        found = {"now": paths(images.numbers, groups), "gone": {}, "prior": {}}
        if images.prior_numbers is None or images.changes is None:
            return found
        lost = gone_numbers(images.prior_numbers, images.changes)
        gone = {int(one): "gone" for one in np.unique(lost) if one}
        every = {int(one): "rest" for one in np.unique(images.prior_numbers) if one}
        found["gone"] = paths(lost, gone)
        found["prior"] = paths(images.prior_numbers, every | gone)
        return found

    def ras(self, column: float, row: float, index: int) -> tuple[float, float, float]:
        """Where a point of a slice lies, RAS mm."""
        x, y, z = (self.record.affine @ [column, row, index, 1.0])[:3].round(2).tolist()
        return x, y, z

    def index_of(self, ras: tuple[float, float, float]) -> int:
        """The slice nearest to a place, RAS mm."""
        index = float((np.linalg.inv(self.record.affine) @ [*ras, 1.0])[2])
        last = int(self.images.flair.shape[2]) - 1
        return min(max(round(index), 0), last)

    def holds(self, column: float, row: float, index: int) -> bool:
        """Whether a point lies in the images."""
        columns, rows, slices = map(int, self.images.flair.shape)
        return 0 <= index < slices and 0 <= column <= columns - 1 and 0 <= row <= rows - 1


def groups_of(record: VisitRecord) -> dict[int, str]:
    """How each lesion is drawn, as in the report (`report.lesion_groups.group`)."""
    return {one.number: group(record.comparison, one.number) for one in record.lesions}


class ImageStacks:
    """Holds the images that were looked at last.

    Args:
        most_bytes: of arrays; the one that is asked for is always held.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[Path, ImageStack] = OrderedDict()
        self._lock = Lock()
        self._reading: dict[Path, Lock] = {}

    def of(self, folder: Path) -> ImageStack | None:
        """The images of a visit; None where they are not kept any more.

        Args:
            folder: of the visit, `store.visit_images.visit_folder`.
        """
        with self._lock:
            reading = self._reading.setdefault(folder, Lock())
        with reading:  # whoever comes meanwhile waits for the one who reads
            return self._of(folder)

    def _of(self, folder: Path) -> ImageStack | None:
        try:
            tag = f"{folder.name}-{(folder / ARRAYS).stat().st_mtime_ns:x}"
            held = self._held.get(folder)
            if held is None or held.tag != tag:
                record = visit_record(folder)
                if record is None:
                    return None
                held = ImageStack(record, visit_images(folder), tag)
        except FileNotFoundError:
            with self._lock:
                self._held.pop(folder, None)
                self._reading.pop(folder, None)
            return None
        self._hold(folder, held)
        return held

    def _hold(self, folder: Path, stack: ImageStack) -> None:
        with self._lock:
            self._held[folder] = stack
            self._held.move_to_end(folder)
            while len(self._held) > 1 and self._bytes() > self._most:
                gone, _ = self._held.popitem(last=False)
                self._reading.pop(gone, None)

    def _bytes(self) -> int:
        return sum(one.images.nbytes for one in self._held.values())

"""Images on their way to the classifier, and where they lie in the patient.

Coordinates are DICOM patient coordinates (LPS: x to the left, y to the back, z to the head, mm).
Pixel coordinates are ``(column, row)`` with (0, 0) at the *centre* of the first pixel, as in the
affine of PS3.3 C.7.6.2.1.1; ``SourcePoint.graphic_data`` converts to the corner-based
coordinates of SCOORD (PS3.3 C.18.6.1.1).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from msnode.records.population import Acquisition
from msnode.records.sentences import Text
from msnode.records.uid_hash import uid_hash

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Study:
    """A complete study, ready to be analysed.

    Attributes:
        study_instance_uid: PS3.3 C.7.2.1.
        generation: 1 for the first analysis; one more each time new images came afterwards.
        completion: why it was taken as complete, in words for the log.
        paths: the files of this generation, earlier generations' included.
        last_instance_at: unix time in seconds of the last instance's arrival.
        stat: wanted at once, so it goes before routine studies.
        is_partial: images of earlier generations are not here any more (retention).
        conflicts: number of images that came with more than one content under one SOPInstanceUID.
        sop_classes: SOPClassUIDs of the files; empty where nobody has looked.
    """

    study_instance_uid: str
    generation: int
    completion: str
    paths: tuple[Path, ...]
    last_instance_at: float
    stat: bool = False
    is_partial: bool = False
    conflicts: int = 0
    sop_classes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The study's UID, shortened: for logs and file names."""
        return uid_hash(self.study_instance_uid)


@dataclass(frozen=True, slots=True)
class Limit:
    """What a measured value must lie within, and the range that real heads had.

    Raises:
        ValueError: the four are not in the order low, usual_low, usual_high, high.
    """

    low: float
    high: float
    usual_low: float
    usual_high: float

    def __post_init__(self) -> None:
        if not self.low <= self.usual_low <= self.usual_high <= self.high:
            raise ValueError("a limit must have low <= usual_low <= usual_high <= high")


@dataclass(frozen=True, slots=True)
class HeadGate:
    """Limits of what counts as a head; ``prepare`` refuses a volume that is out of one.

    The defaults stand well outside of what 58 real volumes of six scanners measured (2026), which
    is the usual range of each.

    Attributes:
        width: of the body, left to right, mm.
        length: front to back, mm.
        coverage: foot to head, mm.
        roundness: width of the skull by its length.
        fill: part of its bounding box that the body fills.
        symmetry: overlap of the outline with its mirror image.
        structure: standard deviation of the fine structure by the mean brightness.
        dome: area at the top by the largest area.
        halves: correlation of the tissues left and right of the midline.
    """

    width: Limit = Limit(110, 205, 128, 180)
    length: Limit = Limit(140, 255, 164, 228)
    coverage: Limit = Limit(60, 1000, 124, 172)
    roundness: Limit = Limit(0.62, 0.95, 0.73, 0.86)
    fill: Limit = Limit(0.30, 0.75, 0.43, 0.64)
    symmetry: Limit = Limit(0.70, 1.0, 0.84, 0.97)
    structure: Limit = Limit(0.06, 2.0, 0.10, 0.32)
    dome: Limit = Limit(0.0, 0.65, 0.0, 0.46)
    halves: Limit = Limit(0.45, 1.0, 0.67, 1.0)


@dataclass(frozen=True, slots=True)
class InputContract:
    """What a classifier wants to see; part of its bundle, obeyed by ``prepare``.

    Attributes:
        sequences: acceptable kinds of image, best first, e.g. ``("FLAIR",)``.
        rows: of a prepared slice, pixels; likewise ``cols``.
        channels: 3 repeats the grey image, as ImageNet backbones want.
        normalisation: ``minmax`` (to [0, 1] per image) or ``zscore`` (mean 0, sd 1 per image).
        min_tissue: fraction of a slice that must be head for the slice to be classified.
        slab_mm: lowest and highest slice position classified, in mm below the top of the
            head (0 = vertex); None takes every slice with enough tissue.
        gate: what counts as a head.
        tile_px: of pictures of blood smears: side of the squares that they are cut into, in pixels
            of the picture; each is then scaled to a slice. None for anything else.
    """

    sequences: tuple[str, ...]
    rows: int
    cols: int
    channels: int = 3
    normalisation: Literal["minmax", "zscore"] = "minmax"
    min_tissue: float = 0.05
    slab_mm: tuple[float, float] | None = None
    gate: HeadGate = HeadGate()
    tile_px: int | None = None

    @property
    def is_tiled(self) -> bool:
        """Whether it wants tiles of pictures, which lie nowhere in the patient."""
        return self.tile_px is not None


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """Whether a series was taken for the model, and why; stored with the result.

    Attributes:
        uid: SeriesInstanceUID, or the path of a NIfTI file.
        description: SeriesDescription ("" where absent).
        instances: number of files.
        chosen: True for the one series that is classified.
        why: one sentence naming the attributes that decided it.
    """

    uid: str
    description: str
    instances: int
    chosen: bool
    why: Text


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One image (or frame) of the series that was used, and where it lies in the patient.

    Attributes:
        frame: 1-based frame number of a multi-frame instance, None of a single-frame one.
        rows: pixels; likewise ``columns``.
        affine: (4, 4) float64, (column, row, 0, 1) -> (x, y, z, 1) in LPS mm.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    frame: int | None
    rows: int
    columns: int
    affine: Float64Array


@dataclass(frozen=True, slots=True)
class SourcePoint:
    """A position on a source image; ``column``/``row`` are centre-based pixel coordinates."""

    source: SourceFrame
    column: float
    row: float

    @property
    def graphic_data(self) -> tuple[float, float]:
        """(column, row) for SCOORD, whose origin is the corner of the first pixel."""
        return self.column + 0.5, self.row + 0.5


@dataclass(frozen=True, slots=True)
class Slices:
    """A series as the classifier sees it.

    Attributes:
        pixels: (slices, channels, rows, cols) float32, in [0, 1] for ``minmax``; radiological
            orientation: the patient's right at the image's left, anterior at the top.
        affines: (slices, 4, 4) float64, (col, row, 0, 1) of a slice -> LPS mm.
        frames: every frame of the source series, sorted along its normal.
        nearest: per slice the index into ``frames`` of the source it came from; for a
            reformatted series the frame nearest to the slice's centre.
        thickness_mm: distance between neighbouring source frames.
        reformatted: True where the acquisition plane was not axial.
        missing: number of frames that a gap in the source positions suggests.
        warnings: what the reader of the result should know about the input.
        doubts: those of the warnings for which no decision is made.
        gate: how much it looks like a head, from 0 (just so) to 1; None where not known.
        acquisition: how the series was acquired.
        measured: the nine values that `HeadGate` limits, and how bright the tissue is; empty in
            what older versions prepared.
    """

    pixels: Float32Array
    affines: Float64Array
    frames: tuple[SourceFrame, ...]
    nearest: tuple[int, ...]
    thickness_mm: float
    reformatted: bool
    missing: int
    warnings: tuple[Text, ...] = ()
    doubts: tuple[Text, ...] = ()
    gate: float | None = None
    acquisition: Acquisition = Acquisition()  # noqa: RUF009 - frozen
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def distance_mm(self) -> float:
        """Between neighbouring slices; a reformatted series' frames lie otherwise."""
        if not self.reformatted or len(self.affines) < 2:
            return self.thickness_mm
        normal = _cube(self.affines[0])[:3, 2]
        return float(np.median(np.abs(np.diff(self.affines[:, :3, 3] @ normal))))

    def source(self, index: int) -> SourceFrame:
        """The source frame of a slice."""
        return self.frames[self.nearest[index]]

    def locate(self, index: int, column: float, row: float) -> SourcePoint:
        """Where a pixel of a prepared slice lies on the nearest source frame."""
        point = self.affines[index] @ np.array([column, row, 0.0, 1.0])
        candidates = self.frames if self.reformatted else (self.source(index),)
        indices = [np.linalg.solve(_cube(frame.affine), point) for frame in candidates]
        nearest = min(range(len(indices)), key=lambda i: abs(indices[i][2]))
        best, (x, y, *_) = candidates[nearest], indices[nearest]
        inside = np.clip([x, y], 0, [best.columns - 1, best.rows - 1])
        return SourcePoint(best, *inside.tolist())


def _cube(affine: Float64Array) -> Float64Array:
    """A frame's affine with its unit normal in the third column, so that it can be inverted."""
    cube = affine.copy()
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    cube[:3, 2] = normal / np.linalg.norm(normal)
    return cube


@dataclass(frozen=True, slots=True)
class SourceVolume:
    """A series on its own grid, for what reads whole volumes.

    Attributes:
        voxels: (columns, rows, slices) float32; the third axis runs along `Slices.frames`.
        affine: (4, 4) float64 from indices to RAS mm; a gap is taken for even distances.
    """

    voxels: Float32Array
    affine: Float64Array


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``prepare`` hands on: the slices and the reasons behind the choice of the series.

    Attributes:
        paths: the files of the chosen series.
        volume: the chosen series as it was acquired; None in what older versions prepared.
    """

    slices: Slices
    series: tuple[SeriesChoice, ...]
    paths: tuple[Path, ...] = ()
    volume: SourceVolume | None = None

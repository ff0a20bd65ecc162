"""From index rows to arrays: every kind of image is prepared exactly as in service."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from safetensors.torch import load_file

from msnode.errors import ConfigError, NotAnalysable
from msnode.learn.data import outlines, tensor_file
from msnode.learn.data.index_csv import IMAGES, Row
from msnode.prepare import load_nifti, nifti_slices, prepare
from msnode.prepare.slices import normalise
from msnode.prepare.tiles_of_smears import cut
from msnode.records.images import Float32Array, Float64Array, InputContract

GREY = ("L", "LA", "I", "I;16", "F", "1")
"""Pillow's modes of images without colour."""
FORMAT = "3"
"""Version of the cache; a cache of another version is prepared again."""

Source = tuple[float, float]
"""Source pixel size, and distance in mm of the slices, which of a series that is not axial are
those made of it; of a single image its rows and columns."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Prepared images of an index, aligned along the first axis.

    Attributes:
        pixels: (n, rows, cols) float16 for grey images, (n, 3, rows, cols) for colour.
        rows: (n,) which index row each image came from.
        heights_mm: (n,) distance below the study's highest slice; 0 for single images.
        acquisition: (n, 2) source pixel size and slice distance in mm; of a single image its
            rows and columns.
        lesions: (n, rows, cols) bool; all False where the row has no mask.
        masked: (n,) bool, whether the row has a lesion mask.
        lesion_ml: (n,) lesion volume of the whole row in mL; nan without the mask of a volume.
    """

    pixels: torch.Tensor
    rows: NDArray[np.int64]
    heights_mm: Float64Array
    acquisition: Float64Array
    lesions: torch.Tensor
    masked: NDArray[np.bool_]
    lesion_ml: Float64Array


def load(
    rows: Sequence[Row],
    contract: InputContract,
    cache: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Examples:
    """Prepare every image of an index.

    Args:
        rows: of the index.
        contract: what the classifier wants to see.
        cache: folder that keeps the prepared images for the next run.
        progress: called with 1 after each row.

    Raises:
        ConfigError: images are unreadable; names all of them, by their lines of the index.
    """
    file = cache / f"prepared-{_digest(rows, contract)}.safetensors" if cache else None
    if file is not None and file.exists():
        return _unpacked(load_file(file))
    parts, problems = [], []
    for number, row in enumerate(rows):
        try:
            parts.append(_one(number, row, contract))
        except (NotAnalysable, ConfigError) as error:
            problems.append(f"line {row.number}: {row.path.name}: {error}")
        progress(1)
    if problems:
        raise ConfigError("images cannot be used:\n  " + "\n  ".join(problems))
    _check_colours(rows, parts)
    tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        tensor_file.write(file, tensors)
    return _unpacked(tensors)


def thinned(examples: Examples, most: int) -> Examples:
    """At most so many images of each row, evenly spread; 0 leaves all."""
    if not most:
        return examples
    kept = []
    for row in np.unique(examples.rows):
        mine = np.flatnonzero(examples.rows == row)
        spread = np.linspace(0, len(mine) - 1, min(most, len(mine))).round().astype(np.int64)
        kept.append(mine[spread])
    chosen = np.concatenate(kept)
    return Examples(*(getattr(examples, f.name)[chosen] for f in fields(Examples)))


def _check_colours(rows: Sequence[Row], parts: Sequence[dict[str, torch.Tensor]]) -> None:
    """Refuse grey and colour images side by side."""
    grey = [str(row.number) for row, p in zip(rows, parts, strict=True) if p["pixels"].ndim == 3]
    if grey and len(grey) < len(rows):
        raise ConfigError(
            f"lines {', '.join(grey[:20])} are grey images, the others in colour; convert one kind"
        )


def _one(number: int, row: Row, contract: InputContract) -> dict[str, torch.Tensor]:
    """The images of one index row, as the tensors of ``Examples``."""
    if row.path.suffix.lower() in IMAGES:
        pixels, source = _picture(row.path, contract)
        heights, lesions = np.zeros(len(pixels)), _picture_mask(row, source, contract)
        if contract.is_tiled and lesions is not None:
            raise NotAnalysable("column lesions: tiles of blood smears have none")
    else:
        pixels, heights, source, lesions = _volume(row, contract)
    if lesions is None:
        lesions = np.zeros((len(pixels), contract.rows, contract.cols), np.bool_)
    return {
        "pixels": torch.from_numpy(pixels).half(),
        "rows": torch.full((len(pixels),), number),
        "heights_mm": torch.from_numpy(heights),
        "acquisition": torch.tensor([source] * len(pixels), dtype=torch.float64),
        "lesions": torch.from_numpy(lesions).to(torch.uint8),
        "masked": torch.full((len(pixels),), row.lesions is not None),
        "lesion_ml": torch.full((len(pixels),), _lesion_ml(row), dtype=torch.float64),
    }


def _lesion_ml(row: Row) -> float:
    """Volume of a NIfTI lesion mask in mL, nan where there is none."""
    if row.lesions is None or row.path.suffix.lower() in IMAGES:
        return float("nan")
    mask = load_nifti(row.lesions)
    voxel_mm3 = abs(float(np.linalg.det(mask.affine[:3, :3]))) * mask.thickness_mm
    return float((mask.voxels > 0).sum()) * voxel_mm3 / 1000


def _volume(
    row: Row, contract: InputContract
) -> tuple[Float32Array, Float64Array, Source, NDArray[np.bool_] | None]:
    """Slices of a NIfTI volume or DICOM study, their heights, source grid and lesion masks."""
    labels: list[NDArray[np.uint8]] = []
    if row.path.is_dir():
        if row.lesions is not None:
            raise NotAnalysable("column lesions: masks are read for NIfTI volumes only")
        slices = prepare(_files(row.path), contract).slices
    else:
        slices, labels = nifti_slices(row.path, contract, [row.lesions] if row.lesions else [])
    if labels and not labels[0].any():
        _check_place(row)
    heights = slices.affines[:, 2, 3]
    grey = np.ascontiguousarray(slices.pixels[:, 0])
    source = (float(np.linalg.norm(slices.frames[0].affine[:3, 0])), slices.distance_mm)
    return grey, heights.max() - heights, source, labels[0] > 0 if labels else None


def _check_place(row: Row) -> None:
    """Refuse a lesion mask outside of its scan: it would teach "no lesions".

    A mask whose lesions all lie outside the slices that are used is accepted.
    """
    scan, mask = load_nifti(row.path), load_nifti(cast(Path, row.lesions))
    found = np.argwhere(mask.voxels > 0)[:, ::-1]
    if not len(found):
        return
    steps = np.column_stack([found[:, :2], mask.positions[found[:, 2]], np.ones(len(found))])
    places = scan.indices(mask.affine @ steps.T)
    size = np.array(scan.voxels.shape)[:, None]
    if not ((places > -1) & (places < size)).all(axis=0).any():
        raise NotAnalysable("column lesions: every lesion of the mask lies outside of the scan")


def _picture(path: Path, contract: InputContract) -> tuple[Float32Array, Source]:
    """A PNG, JPEG or TIFF as (1, rows, cols), or (1, 3, rows, cols) in colour; and its own size.

    Of a blood smear (tiles, 3, rows, cols), as in service.
    """
    try:
        with Image.open(path) as image:
            source = (float(image.height), float(image.width))
            if contract.is_tiled:
                return cut(np.asarray(image.convert("RGB")), contract)[0], source
            colour = image.mode not in GREY and not _is_grey_palette(image)
            converted = image.convert("RGB") if colour else image.convert("F")
            values = np.asarray(
                converted.resize((contract.cols, contract.rows), Image.Resampling.BICUBIC)
            )
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise NotAnalysable(f"cannot be read as an image: {error}") from error
    if not colour:
        return normalise(values.astype(np.float32)[None], contract.normalisation), source
    planes = np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)
    return planes / np.float32(255), source


def _is_grey_palette(image: Image.Image) -> bool:
    """Whether an image has a palette, and nothing but grey in it."""
    if image.mode != "P":
        return False
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), 2, 0)
    return bool((red == green).all() and (green == blue).all())


def _picture_mask(row: Row, source: Source, contract: InputContract) -> NDArray[np.bool_] | None:
    """The lesion mask of a single image as (1, rows, cols), None where there is none.

    A pixel is lesion if any lesion pixel falls into it, so that small lesions survive the scaling.
    """
    if row.lesions is None:
        return None
    mask = outlines.read_mask(row.lesions)
    if mask.shape != source:
        raise NotAnalysable(f"column lesions: the mask is {mask.shape}, the image {source}")
    target = np.zeros((1, contract.rows, contract.cols), np.bool_)
    lesion = np.argwhere(mask) * (contract.rows, contract.cols) // mask.shape
    target[0, lesion[:, 0], lesion[:, 1]] = True
    return target


def _unpacked(tensors: dict[str, torch.Tensor]) -> Examples:
    """Tensors as they are stored, as ``Examples``."""
    return Examples(
        tensors["pixels"],
        tensors["rows"].numpy(),
        tensors["heights_mm"].numpy(),
        tensors["acquisition"].numpy(),
        tensors["lesions"].bool(),
        tensors["masked"].numpy(),
        tensors["lesion_ml"].numpy(),
    )


def digest(rows: Sequence[Row]) -> str:
    """Digest of what is known of the images and of the state of their files, 16 hex digits."""
    known = [json.dumps(asdict(row), default=str, sort_keys=True) for row in rows]
    return hashlib.sha256("\n".join([*known, *_described(rows)]).encode()).hexdigest()[:16]


def _digest(rows: Sequence[Row], contract: InputContract) -> str:
    """Digest of all that the prepared images depend on, 16 hex digits."""
    described = [FORMAT, json.dumps(asdict(contract), sort_keys=True), *_described(rows)]
    return hashlib.sha256("\n".join(described).encode()).hexdigest()[:16]


def _described(rows: Sequence[Row]) -> Iterator[str]:
    """Path, size and time of every file of the index."""
    for row in rows:
        for place in (row.path, row.lesions):
            for path in _files(place) if place is not None else ():
                state = path.stat()
                yield f"{path} {state.st_size} {state.st_mtime_ns}"


def _files(place: Path) -> list[Path]:
    """A file, or all files of a folder."""
    if not place.is_dir():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file())

"""What was outlined, on disk: steps of the workflow hand on paths, never arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from msnode.records.images import Float32Array
from msnode.records.lesions import LesionFinding, LesionMaps
from msnode.store.files import decode, encode, replacing

FINDING, MAPS = "lesions.json", "lesions.safetensors"


def save(finding: LesionFinding, maps: LesionMaps | None, folder: Path) -> None:
    """Write ``lesions.safetensors`` (the maps, without the FLAIR) and ``lesions.json``, durably.

    Each file is complete or absent, and the second is there only when the first is. Where nothing
    was outlined there are no maps.
    """
    (folder / FINDING).unlink(missing_ok=True)
    if maps is not None:
        found = {name: getattr(maps, name) for name in ("labels", "numbers", "changes", "prior")}
        tensors = {name: np.ascontiguousarray(m) for name, m in found.items() if m is not None}
        with replacing(folder / MAPS) as file:
            file.write(safetensors.numpy.save(tensors))
    with replacing(folder / FINDING) as file:
        file.write(encode(finding))


def is_saved(folder: Path) -> bool:
    """Whether what `save` wrote is there, all of it."""
    if not (folder / FINDING).exists():
        return False
    return (folder / MAPS).exists() or load_finding(folder).reason is not None


def was_saved(folder: Path) -> bool:
    """Whether anything was outlined, even if the maps have been dropped since."""
    return (folder / FINDING).exists()


def load_finding(folder: Path) -> LesionFinding:
    """Read the finding that `save` wrote.

    Raises:
        FileNotFoundError: it is not there.
    """
    return decode((folder / FINDING).read_bytes(), LesionFinding)


def load_maps(folder: Path, flair: Float32Array) -> LesionMaps:
    """Read the maps that `save` wrote.

    Args:
        folder: of the study.
        flair: (columns, rows, slices) float32, the series that was outlined.

    Raises:
        FileNotFoundError: they are not there.
    """
    tensors: dict[str, Any] = safetensors.numpy.load_file(folder / MAPS)
    return LesionMaps(flair, **tensors)

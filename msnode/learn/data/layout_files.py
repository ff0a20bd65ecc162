"""What readers of data sets share: JSON, names as pseudonyms, masks out of segmentations."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from msnode.errors import ConfigError


def only(segmentation: Path, values: Sequence[int], folder: Path) -> Path:
    """Write some labels of a segmentation as a mask, on the same grid.

    Args:
        segmentation: NIfTI with whole numbers.
        values: that become 1.
        folder: gets the mask.
    """
    image = nibabel.load(segmentation)
    voxels = np.isin(np.asanyarray(image.dataobj).round(), values).astype(np.uint8)  # type: ignore[attr-defined]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{segmentation.name.partition('.')[0]}_lesions.nii.gz"
    nibabel.Nifti1Image(voxels, image.affine).to_filename(file)  # type: ignore[attr-defined]
    return file


def json_object(file: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no file.

    Raises:
        ConfigError: it is no JSON object.
    """
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: holds no JSON object")
    return found


def slug(name: object) -> str:
    """A data set's name as the first part of a pseudonym."""
    return re.sub(r"[^A-Za-z0-9]+", "-", str(name)).strip("-").casefold() or "data"

"""Visits that are kept for later comparisons, beyond the life of their images.

``visits/<study key>/<generation>/`` holds ``visit.npz`` (the FLAIR as 16 bit, labels, numbers,
probabilities as 8 bit, compressed) and ``visit.json`` (all else), the second only when the first is
there. The latest generation counts; that of a study that was fetched (flow/prior_step.py)
is 0. Where it was compared, what people look at beside it is there, too: the earlier scan on this
one's grid as 16 bit, the numbers of its lesions, and what changed. `store.visit_images` reads that
without PyTorch; older visits lack it.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msnode.lesions.atlas import Fit
from msnode.lesions.compare import Compared, Visit
from msnode.lesions.objects import Found
from msnode.records.images import Float32Array, Float64Array
from msnode.records.lesions import Comparison, Lesion
from msnode.records.population import Acquisition
from msnode.store.files import decode, encode, fsync, replacing
from msnode.store.visit_images import ARRAYS, FOLDER, RECORD

MOST_FLAIR, MOST_PROBABILITY = 65535, 255


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a kept visit.

    Attributes:
        study_key: of its study.
        study_date: DA; "" where it has none.
        acquisition: of the series.
        distance_mm: between its slices.
        digest: of the network that outlined it.
        affine: (4, 4) from indices to RAS mm.
        scale: by which the 16 bit are multiplied.
        lesions: the largest first.
        fit: of the atlas; None where it was not needed.
        comparison: with an earlier visit.
        prior_scale: as ``scale``, of the earlier scan; None where none is kept with it.
        generation: of the study, as the visit's folder says; 0 before it is kept.
    """

    study_key: str
    study_date: str
    acquisition: Acquisition
    distance_mm: float
    digest: str
    affine: Float64Array
    scale: float
    lesions: tuple[Lesion, ...]
    fit: Fit | None
    comparison: Comparison = Comparison("no_prior")  # noqa: RUF009 - frozen
    prior_scale: float | None = None
    generation: int = 0


def keep(
    data: Path, generation: int, known: Kept, visit: Visit, compared: Compared | None = None
) -> None:
    """Keep a visit, durably, in place of those of earlier generations.

    Args:
        data: the node's data folder.
        generation: of the study.
        known: what is known of it; affine, scale, lesions and fit are taken from ``visit``.
        visit: the scan and what was found in it.
        compared: what it was compared with, to be shown beside it; None where it was not.
    """
    folder = data / FOLDER / known.study_key / str(generation)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)
    found = visit.found
    flair, scale = _as_16_bit(visit.voxels)
    beside, prior_scale = _beside(compared)
    with replacing(folder / ARRAYS) as file:
        np.savez_compressed(
            file,
            flair=flair,
            labels=found.labels,
            numbers=found.numbers,
            probability=np.rint(found.probability * MOST_PROBABILITY).astype(np.uint8),
            **beside,
        )
    record = Kept(
        known.study_key, known.study_date, known.acquisition, known.distance_mm, known.digest,
        visit.affine, scale, found.lesions, found.fit, known.comparison, prior_scale,
    )  # fmt: skip
    with replacing(folder / RECORD) as file:
        file.write(encode(record))
    for other in folder.parent.iterdir():
        if int(other.name) < generation:
            shutil.rmtree(other)
    for place in (folder.parent, folder.parent.parent, data):  # new names in them, too
        fsync(place)


def _as_16_bit(voxels: Float32Array) -> tuple[NDArray[np.uint16], float]:
    """A scan's voxels, what is dark as 0, and by what they are multiplied to get them back."""
    scale = max(float(voxels.max()), 1e-6) / MOST_FLAIR
    return np.clip(np.rint(voxels / scale), 0, MOST_FLAIR).astype(np.uint16), scale


def _beside(compared: Compared | None) -> tuple[dict[str, Any], float | None]:
    """What is shown beside a scan, by name; the earlier one's scale."""
    if compared is None or compared.prior is None or compared.changes is None:
        return {}, None
    prior, scale = _as_16_bit(compared.prior)
    shown: dict[str, Any] = {"prior": prior, "changes": compared.changes}
    if compared.prior_numbers is not None:
        shown["prior_numbers"] = compared.prior_numbers
    return shown, scale


def known(data: Path, study_key: str) -> Kept | None:
    """What is known of a study's kept visit; None where none is kept."""
    folder = _latest(data, study_key)
    if folder is None:
        return None
    return replace(decode((folder / RECORD).read_bytes(), Kept), generation=int(folder.name))


def load(data: Path, kept: Kept) -> Visit:
    """A kept visit; never one of another generation, whose lesions have other numbers.

    Args:
        data: the node's data folder.
        kept: as `known` told it.

    Raises:
        FileNotFoundError: it has been deleted, or another one is kept by now.
    """
    folder = data / FOLDER / kept.study_key / str(kept.generation)
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        found = Found(
            arrays["labels"],
            arrays["numbers"],
            arrays["probability"].astype(np.float32) / MOST_PROBABILITY,
            kept.lesions,
            kept.fit,
        )
        return Visit(arrays["flair"].astype(np.float32) * kept.scale, kept.affine, found)


def _latest(data: Path, study_key: str) -> Path | None:
    """The folder of the latest generation that is complete."""
    whole = [path.parent for path in (data / FOLDER / study_key).glob(f"*/{RECORD}")]
    return max(whole, key=lambda folder: int(folder.name), default=None)

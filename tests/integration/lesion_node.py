"""A node with two studies of one patient: the sample, and later with a lesion more."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import sqlalchemy as sa

from msnode import lesions
from msnode.config import Config, Folder
from msnode.deliver.deliveries import Deliveries
from msnode.flow import Flow
from msnode.records.images import InputContract, Slices, Study
from msnode.records.lesions import LesionFinding
from msnode.records.results import Finding, ModelInfo, Report, Scores
from msnode.records.uid_hash import uid_hash
from msnode.sample import LJUBLJANA, Identity, write_series
from msnode.twin import Twin
from tests import reports

THEN, NOW = "1.2.826.0.1.3680043.8.498.90.1", "1.2.826.0.1.3680043.8.498.90.2"
SECONDS = {"prepare": 0.1, "outline": 0.1, "classify": 0.1}
BUNDLE = lesions.load(lesions.SHIPPED)
DEEP_WHITE = (-18.92, 8.73, 28.97)
"""RAS mm of the sample: (-24, 10, 38) of the atlas, by the fit that `lesions.find` makes."""


@contextmanager
def outlining_once() -> Iterator[None]:
    """What was outlined, or tested, is not so again: it would be the same to the last bit."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("find", "draw", "measure", "grade"):
            patch.setattr(lesions, name, _once(getattr(lesions, name)))
        yield


def _once(work: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[str, Any] = {}

    def made(*given: Any) -> Any:
        key = " ".join(map(_named, given))
        if key not in known:
            known[key] = work(*given)
        return known[key]

    return made


def _named(one: Any) -> str:
    """What tells arguments of the outlining apart."""
    if isinstance(one, lesions.Bundle):
        return one.manifest.digest
    arrays = (one.scan.volume.voxels, one.labels) if isinstance(one, lesions.Marks) else (one,)
    return " ".join(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays)


class Classifier:
    """Sees a pattern wherever it looks."""

    info = ModelInfo("small", "1.0.0", "c" * 64, 0.5)
    contract = InputContract(("FLAIR",), 96, 96)

    def score(self, slices: Slices) -> Scores:
        shape = (len(slices.pixels), *slices.pixels.shape[2:])
        return Scores(np.full(shape[0], 0.9, np.float32), np.full(shape, 0.1, np.float32))

    def decide(self, scores: Scores, slices: Slices, _: LesionFinding | None) -> Finding:
        return Finding(0.9, 0.5, "present", reports.findings(slices, scores.saliency, 0.9))


@dataclass
class Node:
    """A node with two studies of one patient: the sample, and later with a lesion more."""

    data: Path
    database: sa.Engine
    studies: dict[str, Study]

    def flow(self, bundle: lesions.Bundle | None = BUNDLE) -> Flow:
        inbox: Any = SimpleNamespace(study=lambda key, _: self.studies[key], finish=lambda *_: None)
        classifier: Any = Classifier()
        folder = Folder("archive", folder=self.data.parent / "archive", profile="full")
        config = Config(data=self.data, destinations=(folder,))
        deliveries, twin = Deliveries(self.database), Twin(self.database)
        return Flow(config, inbox, classifier, deliveries, twin, bundle)

    def work(self, uid: str) -> Path:
        return self.data / "work" / uid_hash(uid) / "1"


def steps(flow: Flow, uid: str) -> dict[str, float]:
    """All steps before the report; their seconds."""
    key = uid_hash(uid)
    assert flow.prepare(key, 1)["reason"] is None
    seconds = flow.outline(key, 1)["seconds"]
    assert flow.classify(key, 1)["reason"] is None
    return seconds


def report(
    flow: Flow,
    uid: str,
    monkeypatch: pytest.MonkeyPatch,
    seconds: dict[str, float] = SECONDS,
) -> Report:
    """The report that the objects are written of."""
    made: list[Report] = []
    write = flow._files.write

    def noting(one: Report) -> Report:
        made.append(one)
        return write(one)

    monkeypatch.setattr(flow._files, "write", noting)
    assert flow.report(uid_hash(uid), 1, None, seconds, 1_700_000_000.0) == "present"
    return made[0]


def with_a_lesion(folder: Path) -> Path:
    """The sample with a bright ball in the deep white matter."""
    image: Any = nibabel.load(LJUBLJANA.nifti)
    voxels = np.asarray(image.dataobj, np.float32)
    places = np.indices(voxels.shape).reshape(3, -1)
    away = (image.affine[:3, :3] @ places).T + image.affine[:3, 3] - DEEP_WHITE
    voxels[(np.linalg.norm(away, axis=1) < 5.0).reshape(voxels.shape)] *= 1.5
    path = folder / "later.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.rint(voxels).astype(np.int16), image.affine), path)
    return path


def write(nifti: Path, folder: Path, uid: str, date: str) -> tuple[Path, ...]:
    """A study of a day."""
    paths = write_series(nifti, folder, identity=Identity(study_uid=uid))
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.StudyDate = date
        dataset.save_as(path)
    return tuple(paths)

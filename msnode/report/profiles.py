"""From a report to the files of an output profile: built, validated, written atomically."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydicom.dataset import Dataset

from msnode import metrics
from msnode.config import Describe, Form
from msnode.errors import InvalidResult
from msnode.records.results import Report
from msnode.records.uid_hash import uid_hash
from msnode.report import case as cases
from msnode.report import (
    course_capture,
    key_objects,
    measurement_sr,
    montage,
    overlay,
    pdf,
    presentation_state,
    readable_sr,
    saliency_map,
    segmentation,
)
from msnode.report.validate import validate

log = logging.getLogger(__name__)

Builder = Callable[[cases.Case], Iterator[tuple[str, Dataset]]]

PROFILES: dict[str, tuple[str, ...]] = {
    "minimal": ("sr", "montage"),
    "standard": ("sr", "montage", "readable", "overlay", "seg", "course"),
    "full": ("sr", "montage", "readable", "overlay", "seg", "course", "kos", "map", "gsps", "pdf"),
}
"""Kinds of objects by output profile, in the order to send."""

WRITERS = 4
"""Threads that wait for the disk while the next object is built."""

OF_A_FINDING = {"overlay", "kos", "map", "gsps"}
"""Kinds that a study without a finding has not."""

OF_LESIONS = {"seg"}
"""Kinds that a study without an outlined lesion has not."""

OF_PLACES = {"overlay", "kos", "map", "gsps", "pdf", "seg", "course"}
"""Kinds that say something of places in the patient; of pictures without one there are none."""

OF_A_COURSE = {"course"}
"""Kinds that a study has not of whose patient nothing else is on record."""


def write(
    report: Report, describe: Describe, profile: str, folder: Path, form: Form = cases.USUAL
) -> tuple[Path, ...]:
    """Write the objects of a profile as ``<kind>.dcm``.

    The same report gives the same bytes, so that a retry after a crash stores the same objects
    again. An object that fails its validation is kept back in ``folder/quarantine``, counted and
    logged as an error; the others go on.

    Args:
        report: the result; without a finding the objects say why.
        describe: language and equipment.
        profile: a key of `PROFILES`.
        folder: created where it is missing.
        form: of the objects, where DICOM has several.

    Returns:
        The files in the order to send.

    Raises:
        Refused: the header of the source images cannot be copied.
        InvalidResult: no object passed its validation.
    """
    kinds = _kinds(report, profile)
    job = cases.load(report, describe, form, has_segments="seg" in kinds)
    folder.mkdir(parents=True, exist_ok=True)
    objects = (named for kind in kinds for named in BUILDERS[kind](job))
    problems: list[str] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        written = [
            pool.submit(save, dataset, folder / f"{name}.dcm")
            for name, dataset in objects
            if _valid(name, dataset, report, folder, problems)
        ]
    if not written:
        raise InvalidResult("no result object passed its validation: " + " | ".join(problems))
    sync(folder)
    return tuple(file.result() for file in written)


def _kinds(report: Report, profile: str) -> list[str]:
    """The kinds of a profile that there is something to say in."""
    missing = set() if report.finding is not None else OF_A_FINDING
    missing = missing if cases.has_lesions(report) else missing | OF_LESIONS
    missing = missing if report.timeline is not None else missing | OF_A_COURSE
    missing = missing if report.words.has_places else missing | OF_PLACES
    return [kind for kind in PROFILES[profile] if kind not in missing]


def _valid(name: str, dataset: Dataset, report: Report, folder: Path, problems: list[str]) -> bool:
    """Whether an object may leave; an invalid one is kept back, where an administrator finds it."""
    try:
        validate(dataset, report)
    except InvalidResult as error:
        problems.append(f"{name}: {error}")
        metrics.QUARANTINED.labels("invalid_result").inc()
        log.error(
            "study=%s result kept back: %s", uid_hash(report.study_instance_uid), problems[-1]
        )
        back = folder / "quarantine"
        back.mkdir(exist_ok=True)
        save(dataset, back / f"{name}.dcm")
        return False
    return True


def save(dataset: Dataset, path: Path) -> Path:
    """Write a DICOM file that is either there completely or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        dataset.save_as(file, enforce_file_format=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def sync(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one(kind: str, build: Callable[[cases.Case], Dataset]) -> Builder:
    """A builder of the kinds that are a single object."""
    return lambda job: iter([(kind, build(job))])


BUILDERS: dict[str, Builder] = {
    "sr": _one("sr", measurement_sr.build),
    "montage": _one("montage", montage.build),
    "readable": _one("readable", readable_sr.build),
    "overlay": overlay.build,
    "seg": _one("seg", segmentation.build),
    "course": _one("course", course_capture.build),
    "kos": _one("kos", key_objects.build),
    "map": _one("map", saliency_map.build),
    "gsps": _one("gsps", presentation_state.build),
    "pdf": _one("pdf", pdf.build),
}

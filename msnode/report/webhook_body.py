"""The result in short, for worklists and information systems that read no DICOM (JSON)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from msnode.records.results import Report
from msnode.report import codes, study_header
from msnode.report.uids import uid
from msnode.store.files import encode, replacing

SCHEMA_VERSION = 1
"""Grows when a receiver would have to change; members that are added do not count."""


@dataclass(frozen=True, slots=True)
class Priority:
    """A coded concept (PS3.3 8.8), as in the SR."""

    code_value: str
    coding_scheme_designator: str
    code_meaning: str


@dataclass(frozen=True, slots=True)
class Model:
    """As `records.ModelInfo`."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Result:
    """A result object; ``kind`` is sr, montage, readable, overlay-1 and so on."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Signal:
    """The document; patient's name, ID and birth date are not in it.

    Attributes:
        id: a UID of this study, generation and model: two signals with one ``id`` are the same.
        outcome: present, absent, undetermined or not_analysed.
        probability: of an MS pattern in the study, in [0, 1]; None where not analysed.
        threshold: study probability from which the outcome is present.
        priority: suggested reading priority; None where not analysed.
        reason: why it was not analysed, or why there is no decision, in English, or None.
        created_at: ISO 8601, UTC.
        results: what other destinations get.
        predecessor_generation: the result that this one replaces, or None.
        warnings: what is unusual about the images, in English.
    """

    schema_version: int
    id: str
    study_instance_uid: str
    accession_number: str
    generation: int
    outcome: str
    probability: float | None
    threshold: float
    priority: Priority | None
    reason: str | None
    model: Model
    created_at: str
    results: tuple[Result, ...]
    predecessor_generation: int | None
    warnings: tuple[str, ...] = ()


def build(report: Report, results: Iterable[Path]) -> Signal:
    """The signal of a result.

    Args:
        report: the result.
        results: files of its objects.

    Raises:
        Refused: the header of the source images cannot be copied.
    """
    finding, info, before = report.finding, report.model, report.predecessor
    study = study_header.read(report.header, report.study_instance_uid).study
    return Signal(
        schema_version=SCHEMA_VERSION,
        id=uid("signal", report.study_instance_uid, report.generation, info.digest),
        study_instance_uid=report.study_instance_uid,
        accession_number=str(study.AccessionNumber),
        generation=report.generation,
        outcome=finding.decision if finding is not None else "not_analysed",
        probability=float(finding.probability) if finding is not None else None,
        threshold=info.threshold,
        priority=_priority(report.is_urgent) if finding is not None else None,
        reason=_reason(report),
        model=Model(info.name, info.version, info.digest),
        created_at=datetime.fromtimestamp(report.created_at, UTC).isoformat(timespec="seconds"),
        results=tuple(sorted({_result(path) for path in results}, key=lambda one: one.kind)),
        predecessor_generation=before.generation if before is not None else None,
        warnings=tuple(map(str, report.slices.warnings)) if report.slices is not None else (),
    )


def write_signal(report: Report, results: Iterable[Path], path: Path) -> None:
    """Write the signal of a result, whole or not at all; the same report gives the same bytes.

    Raises:
        Refused: see `build`.
    """
    content = encode(build(report, results))
    with replacing(path) as file:
        file.write(content)


def _reason(report: Report) -> str | None:
    """Why it was not analysed, or why the model's probability is no decision."""
    if report.finding is not None and report.finding.doubts:
        return "; ".join(map(str, report.finding.doubts))
    return str(report.reason) if report.reason is not None else None


def _priority(urgent: bool) -> Priority:
    code = codes.PRIORITIES[urgent]
    return Priority(code.value, code.scheme_designator, code.meaning)


def _result(path: Path) -> Result:
    """What a result file's meta information says of it (PS3.10 7.1)."""
    meta = read_file_meta_info(path)
    return Result(
        path.stem, str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID)
    )

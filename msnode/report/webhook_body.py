"""The result in short, for worklists and information systems that read no DICOM (JSON)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from msnode.config import Describe
from msnode.records.lesions import REGIONS, Comparison, LesionFinding
from msnode.records.results import Report
from msnode.report import codes, lesion_wording, study_header
from msnode.report.case import Case, has_outlines
from msnode.report.study_header import Header
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
class RegionCount:
    """Lesions of one region; ``region`` as in `records.lesions.REGIONS`."""

    region: str
    count: int
    ml: float


@dataclass(frozen=True, slots=True)
class Compared:
    """As `records.lesions.Comparison`; the counts are None where nothing was compared.

    Attributes:
        status: compared, not_compared or no_prior.
        prior_date: ISO 8601.
    """

    status: str
    reason: str | None = None
    prior_date: str | None = None
    days: int | None = None
    new: int | None = None
    enlarging: int | None = None
    shrinking: int | None = None
    gone: int | None = None
    ml_change: float | None = None
    ml_error: float | None = None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lesions:
    """What was outlined.

    Attributes:
        reason: why nothing could be, in English; then there is no count.
        text: sentences for a report, in English.
        doubts: what speaks against the outlines, in English; the text says it, too.
    """

    model: Model
    reason: str | None
    count: int | None
    ml: float | None
    regions: tuple[RegionCount, ...]
    comparison: Compared
    text: tuple[str, ...]
    doubts: tuple[str, ...] = ()


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
        priority_reason: why this priority, in English; None where there is none.
        lesions: what was outlined; None where no network outlines.
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
    priority_reason: str | None = None
    lesions: Lesions | None = None


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
        priority_reason=str(report.priority.why) if report.priority is not None else None,
        lesions=_lesions(report, report.lesions) if report.lesions is not None else None,
    )


def write_signal(report: Report, results: Iterable[Path], path: Path) -> None:
    """Write the signal of a result, whole or not at all; the same report gives the same bytes.

    Raises:
        Refused: see `build`.
    """
    content = encode(build(report, results))
    with replacing(path) as file:
        file.write(content)


def _lesions(report: Report, found: LesionFinding) -> Lesions:
    """What was outlined, in numbers and in words."""
    model = found.model
    told = lesion_wording.sentences(Case(report, Describe(), Header(Dataset()), {}))
    outlined = has_outlines(report)
    return Lesions(
        model=Model(model.name, model.version, model.digest),
        reason=str(found.reason) if found.reason is not None else None,
        count=len(found.lesions) if outlined else None,
        ml=round(found.ml, 3) if outlined else None,
        regions=tuple(
            RegionCount(region, count, round(found.ml_in(region), 3))
            for region in REGIONS
            if (count := found.count(region))
        ),
        comparison=_compared(found.comparison),
        text=tuple(told),
        doubts=tuple(map(str, found.doubts)),
    )


def _compared(past: Comparison) -> Compared:
    """What changed, or why that is not known."""
    head = Compared(
        status=past.status,
        reason=str(past.reason) if past.reason is not None else None,
        prior_date=past.prior_date.isoformat() if past.prior_date is not None else None,
        days=past.days,
        differences=tuple(map(str, past.differences)),
    )
    if past.status != "compared":
        return head
    return replace(
        head,
        new=past.count("new"),
        enlarging=past.count("enlarging"),
        shrinking=past.count("shrinking"),
        gone=past.count("gone"),
        ml_change=None if past.ml_change is None else round(past.ml_change, 3),
        ml_error=None if past.ml_error is None else round(past.ml_error, 3),
    )


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

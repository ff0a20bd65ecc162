"""One result in the making: the report, the header it copies, the images it refers to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from msnode.config import Describe
from msnode.records import Finding, Report, SliceFinding, SourceFrame
from msnode.report import header
from msnode.report.text import Words
from msnode.report.uids import legal, uid

PROGRAM = "msnode"
VERSION = version(PROGRAM)


@dataclass(frozen=True, slots=True)
class Image:
    """A source image as the evidence sequences and labels need it.

    Attributes:
        number: InstanceNumber, by which viewers name the image; None where it has none.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the builders of the objects need.

    Attributes:
        header: normalised patient and study attributes, see `header.read`.
        images: the evidence that is DICOM and of this study.
    """

    report: Report
    describe: Describe
    header: Dataset
    images: tuple[Image, ...]

    @property
    def say(self) -> Words:
        """The phrases in the configured language."""
        return Words(self.describe.language)

    @property
    def finding(self) -> Finding:
        """The finding of a study that was analysed."""
        assert self.report.finding is not None  # noqa: S101 - the builders' contract
        return self.report.finding

    @property
    def created(self) -> datetime:
        """When the result came about, in the study's time zone if it names one, else ours."""
        if offset := self.header.get("TimezoneOffsetFromUTC"):
            minutes = int(offset[0] + "60") * int(offset[1:3]) + int(offset[0] + offset[3:])
            return datetime.fromtimestamp(
                self.report.created_at, timezone(timedelta(minutes=minutes))
            )
        return datetime.fromtimestamp(self.report.created_at).astimezone()

    def uid(self, kind: str, generation: int | None = None, level: str = "instance") -> str:
        """The UID of an object, or of its series, of this generation or an earlier one."""
        report = self.report
        at = report.generation if generation is None else generation
        return uid(level, report.study_instance_uid, at, report.model.digest, kind)

    @property
    def device_uid(self) -> str:
        """DeviceUID of the algorithm: changes when the model is retrained (IHE AIR 6.5.3.1)."""
        return uid("device", self.report.model.name, self.report.model.digest)


def load(report: Report, describe: Describe) -> Case:
    """Read the header and what is needed of the evidence.

    Raises:
        Refused: the header cannot be copied.
    """
    return Case(
        report,
        describe,
        header.read(report.header, report.study_instance_uid),
        images(report.evidence, report.study_instance_uid),
    )


def images(paths: Sequence[Path], study_instance_uid: str) -> tuple[Image, ...]:
    """The images of a study among some files; what is no DICOM or of another study is left out."""
    tags = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
    found: dict[str, Image] = {}
    for path in paths:
        try:
            source = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=[*tags, "InstanceNumber"]
            )
        except (OSError, InvalidDicomError, EOFError):
            continue
        class_uid, instance_uid, study_uid, series_uid = (str(source.get(tag)) for tag in tags)
        if study_uid == study_instance_uid and all(
            map(legal, (class_uid, instance_uid, series_uid))
        ):
            found[instance_uid] = Image(class_uid, instance_uid, series_uid, _number(source))
    return tuple(found.values())


def _number(source: Dataset) -> int | None:
    """InstanceNumber, None where it is missing or no number."""
    try:
        return int(source.InstanceNumber)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def image_label(case: Case, frame: SourceFrame) -> str:
    """How viewers name a source image: its InstanceNumber, or frame number if multi-frame."""
    numbers = {image.sop_instance_uid: image.number for image in case.images}
    number = frame.frame if frame.frame is not None else numbers.get(frame.sop_instance_uid)
    return case.say("image", number=number) if number is not None else ""


def matter(finding: Finding, most: int) -> list[SliceFinding]:
    """The most suspicious slices, most suspicious first, spread over the head.

    Of thin slices the neighbours of a chosen one show the same thing: those within a
    twenty-fifth of the series are passed over.
    """
    gap = len(finding.slices) // 25
    chosen: list[SliceFinding] = []
    for candidate in sorted(finding.slices, key=lambda s: (-s.probability, s.index)):
        if all(abs(candidate.index - other.index) > gap for other in chosen):
            chosen.append(candidate)
        if len(chosen) == most:
            break
    return chosen

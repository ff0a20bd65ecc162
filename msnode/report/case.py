"""One result in the making: the report, the header it copies, the images it refers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from msnode.config import Describe, Form
from msnode.records.images import Slices, SourceFrame
from msnode.records.lesions import LesionFinding, LesionMaps, LesionModel
from msnode.records.results import (
    Finding,
    ModelInfo,
    Predecessor,
    Report,
    Scores,
    SliceFinding,
)
from msnode.records.sentences import Sentence
from msnode.report import study_header
from msnode.report.localised import Words, localised
from msnode.report.study_header import Header
from msnode.report.uids import legal, uid

PROGRAM = "msnode"
VERSION = version(PROGRAM)
USUAL = Form()


@dataclass(frozen=True, slots=True)
class Image:
    """A source image as the evidence sequences and labels need it.

    Attributes:
        number: InstanceNumber, by which viewers name the image; None where it has none.
        path: its file; None where only the reference is known.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    number: int | None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the builders of the objects need.

    Attributes:
        report: the result, its reasons and warnings in the configured language.
        header: what the results take from a source image.
        images: the evidence that is DICOM and of this study, by SOPInstanceUID.
        outcome: present, absent, undetermined, not_analysed, or inadequate: the wanted series is
            there, but its images cannot be used.
        has_segments: a Segmentation goes to the same destinations; the measurement SR refers to it.
    """

    report: Report
    describe: Describe
    header: Header
    images: Mapping[str, Image]
    form: Form = USUAL
    has_segments: bool = False
    outcome: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the outcome; put what earlier stages found into the reader's language."""
        object.__setattr__(self, "outcome", _outcome(self.report))
        object.__setattr__(self, "report", localised(self.report, self.describe.language))

    @property
    def say(self) -> Words:
        """The phrases in the configured language."""
        return Words(self.describe.language, self.report.words.prefix)

    @property
    def finding(self) -> Finding:
        """The finding of a study that was analysed."""
        assert self.report.finding is not None  # noqa: S101 - the builders' contract
        return self.report.finding

    @property
    def slices(self) -> Slices:
        """The slices of a study that was analysed."""
        assert self.report.slices is not None  # noqa: S101 - the builders' contract
        return self.report.slices

    @property
    def scores(self) -> Scores:
        """The scores of a study that was analysed."""
        assert self.report.scores is not None  # noqa: S101 - the builders' contract
        return self.report.scores

    @property
    def outlined(self) -> LesionFinding:
        """The lesions of a study in which they were outlined."""
        assert self.report.lesions is not None  # noqa: S101 - the builders' contract
        return self.report.lesions

    @property
    def maps(self) -> LesionMaps:
        """The maps of a study in which lesions were outlined."""
        assert self.report.maps is not None  # noqa: S101 - the builders' contract
        return self.report.maps

    @property
    def has_outlines(self) -> bool:
        """Whether lesions were looked for, whatever was found."""
        return has_outlines(self.report)

    @property
    def created(self) -> datetime:
        """When the result came about, in the study's time zone if it names one, else ours."""
        if offset := self.header.study.get("TimezoneOffsetFromUTC"):
            minutes = int(offset[0] + "60") * int(offset[1:3]) + int(offset[0] + offset[3:])
            return datetime.fromtimestamp(
                self.report.created_at, timezone(timedelta(minutes=minutes))
            )
        return datetime.fromtimestamp(self.report.created_at).astimezone()

    def uid(self, kind: str, level: str = "instance", of: Predecessor | None = None) -> str:
        """The UID of an object or of its series, or of those of an earlier result.

        An object of another SOP Class is another object, and so is an SR that refers to segments;
        in another transfer syntax it is the same.
        """
        report, form = self.report, getattr(self.form, kind, None)
        if form != getattr(USUAL, kind, None):
            kind = f"{kind}-{form}"
        if self.has_segments and kind.startswith("sr"):
            kind += "-seg"
        generation, digest = (
            (report.generation, report.model.digest) if of is None else (of.generation, of.digest)
        )
        return uid(level, report.study_instance_uid, generation, digest, kind)

    @property
    def device_uid(self) -> str:
        """DeviceUID of the classifier."""
        return device_uid(self.report.model)


def device_uid(model: ModelInfo | LesionModel) -> str:
    """DeviceUID of an algorithm: changes when the model is retrained (IHE AIR 6.5.3.1)."""
    return uid("device", model.name, model.digest)


def has_outlines(report: Report) -> bool:
    """Whether lesions were outlined, none found included."""
    lesions = report.lesions
    looked = lesions is not None and lesions.reason is None and report.maps is not None
    return looked and report.finding is not None


def has_lesions(report: Report) -> bool:
    """Whether there is a lesion to show."""
    return has_outlines(report) and report.lesions is not None and bool(report.lesions.lesions)


def _outcome(report: Report) -> str:
    """The phrase for what the study came to."""
    if report.finding is not None:
        return report.finding.decision
    unusable = isinstance(report.reason, Sentence) and report.reason.code == "none_usable"
    return "inadequate" if unusable else "not_analysed"


def load(report: Report, describe: Describe, form: Form, *, has_segments: bool = False) -> Case:
    """Read the header and what is needed of the evidence.

    Args:
        report: the result.
        describe: language and equipment.
        form: of the objects, where DICOM has several.
        has_segments: a Segmentation goes along.

    Raises:
        Refused: the header cannot be copied.
    """
    return Case(
        report,
        describe,
        study_header.read(report.header, report.study_instance_uid),
        images(report.evidence, report.study_instance_uid),
        form,
        has_segments,
    )


def headless(report: Report, describe: Describe) -> Case:
    """A case of which only pictures and pages are made: they need no header to copy."""
    evidence = images(report.evidence, report.study_instance_uid)
    return Case(report, describe, Header(Dataset()), evidence)


def images(paths: Sequence[Path], study_instance_uid: str) -> dict[str, Image]:
    """The images of a study among some files, by SOPInstanceUID; other files are left out."""
    found = (_image(path, study_instance_uid) for path in paths)
    return {image.sop_instance_uid: image for image in found if image is not None}


def _image(path: Path, study_instance_uid: str) -> Image | None:
    """What a file's header says; None where it is no DICOM or not of the study."""
    tags = ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"]
    try:
        with study_header.quiet():
            tags_read = [*tags, "InstanceNumber"]
            source = study_header.read_up_to(path, "InstanceNumber", tags_read)
            uids = [str(source.get(tag)) for tag in tags]
            number = _number(source)
    except (OSError, InvalidDicomError, EOFError, RecursionError):
        return None
    class_uid, instance_uid, series_uid, study_uid = uids
    if study_uid != study_instance_uid or not all(map(legal, uids)):
        return None
    return Image(class_uid, instance_uid, series_uid, number, path)


def _number(source: Dataset) -> int | None:
    """InstanceNumber, None where it is missing or no number."""
    try:
        return int(source.InstanceNumber)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def image_label(case: Case, frame: SourceFrame) -> str:
    """How viewers name a source image: its InstanceNumber, or frame number if multi-frame."""
    image = case.images.get(frame.sop_instance_uid)
    number = frame.frame or (image.number if image is not None else None)
    return case.say("image", number=number) if number is not None else ""


NEIGHBOURS_MM = 3.9
"""Slices nearer than this show the same thing."""


SHOWN, LEAST = 4, 3
"""So many slices, at most and at least, are what every object shows, lists and refers to."""


def matter(case: Case, most: int = SHOWN) -> list[SliceFinding]:
    """The most suspicious slices, most suspicious first, without the neighbours of those.

    Beyond `LEAST`, only those that reach the decision's threshold by themselves.
    """
    finding, places = case.finding, case.slices.affines[:, :3, 3]
    chosen: list[SliceFinding] = []
    for candidate in sorted(finding.slices, key=lambda s: (-s.probability, s.index)):
        if len(chosen) == most:
            break
        if len(chosen) >= LEAST and candidate.probability < finding.threshold:
            break
        away = [np.linalg.norm(places[candidate.index] - places[one.index]) for one in chosen]
        if min(away, default=np.inf) > NEIGHBOURS_MM:
            chosen.append(candidate)
    return chosen


def peaks(case: Case, most: int = SHOWN) -> list[SourceFrame]:
    """The images on which the saliency of the slices that matter peaks, each once."""
    found = (one.peak.source for one in matter(case, most))
    return list({(frame.sop_instance_uid, frame.frame): frame for frame in found}.values())

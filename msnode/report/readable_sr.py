"""The human-readable result: Enhanced SR by TID 2000 Basic Diagnostic Imaging Report (PS3.16)."""

import re
import textwrap

from highdicom import sr
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage

from msnode.report import (
    codes,
    course_wording,
    dicom_modules,
    lesion_tiles,
    lesion_wording,
    trend,
    wording,
)
from msnode.report.case import Case, peaks
from msnode.report.measurement_sr import observer
from msnode.report.sr_document import document, image, text

ILLUSTRATIONS = 3
LONGEST = 110  # characters of a TEXT item, which OHIF shows in one line
CONTAINS = sr.RelationshipTypeValues.CONTAINS


def build(case: Case) -> Dataset:
    """The report in sentences: impression, findings with up to three images, method."""
    root = sr.ContainerContentItem(codes.IMAGING_REPORT, template_id="2000")
    root.ContentSequence = sr.ContentSequence(
        [
            *sr.LanguageOfContentItemAndDescendants(codes.LANGUAGES[case.describe.language]),
            *sr.ObservationContext(observer_device_context=observer(case)),
            _section(codes.IMPRESSIONS, codes.IMPRESSION, impression(case)),
            _findings(case),
            *_previous(case),
            _section(
                codes.PROCEDURE_DESCRIPTIONS, codes.PROCEDURE_DESCRIPTION, wording.method(case)
            ),
        ]
    )
    dataset = dicom_modules.new(case, "readable", EnhancedSRStorage)
    document(dataset, case, root, "readable")
    return dataset


def _section(title: CodedConcept, name: CodedConcept, lines: list[str]) -> sr.ContainerContentItem:
    """A heading with one TEXT item a sentence."""
    section = sr.ContainerContentItem(title, relationship_type=CONTAINS)
    short = [part for line in lines for part in _short(line)]
    section.ContentSequence = sr.ContentSequence([text(name, part) for part in short])
    return section


def _short(line: str) -> list[str]:
    """A line in sentences, the long ones in parts: viewers cut what is wider than they are."""
    sentences = re.split(r"(?<=[.!?]) (?=[^\W\d])", line)
    return [part for sentence in sentences for part in textwrap.wrap(sentence, LONGEST)]


def _findings(case: Case) -> sr.ContainerContentItem:
    """The result, lesions and slices, and the images that show it best."""
    lines = [*wording.outcome(case), *lesion_wording.lines(case)]
    lines += [*wording.slice_lines(case), *wording.notes(case)]
    section = _section(codes.FINDINGS, codes.FINDING, lines)
    if case.report.finding is not None:
        frames = peaks(case, ILLUSTRATIONS)
        if case.has_outlines:
            frames = lesion_tiles.sources(case)[:ILLUSTRATIONS]
        section.ContentSequence.extend(image(codes.BEST_ILLUSTRATION, one) for one in frames)
    return section


def _previous(case: Case) -> list[sr.ContainerContentItem]:
    """What earlier studies of the patient came to; no section where none is known."""
    lines = [*trend.lines(case), *course_wording.lines(case)]
    return [_section(codes.PREVIOUS_FINDINGS, codes.PREVIOUS_FINDING, lines)] if lines else []


def impression(case: Case) -> list[str]:
    """First of all that nobody has verified it; then the result in short."""
    first = [case.say("banner"), case.say("limits")]
    if case.report.finding is None:
        return [*first, wording.outcome(case)[0]]
    return [*first, *lesion_wording.sentences(case), wording.pattern(case)]

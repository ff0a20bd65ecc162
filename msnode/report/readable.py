"""The human-readable result: Enhanced SR by TID 2000 Basic Diagnostic Imaging Report (PS3.16)."""

from highdicom import sr
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage

from msnode.report import base, codes, facts
from msnode.report.case import Case, matter
from msnode.report.document import document, image, text
from msnode.report.sr import MOST_SLICES, observer

ILLUSTRATIONS = 3
CONTAINS = sr.RelationshipTypeValues.CONTAINS


def build(case: Case) -> Dataset:
    """The report in sentences: method, findings with up to three images, impression."""
    root = sr.ContainerContentItem(codes.IMAGING_REPORT, template_id="2000")
    root.ContentSequence = sr.ContentSequence(
        [
            *sr.LanguageOfContentItemAndDescendants(codes.LANGUAGES[case.describe.language]),
            *sr.ObservationContext(observer_device_context=observer(case)),
            _section(codes.PROCEDURE_DESCRIPTIONS, codes.PROCEDURE_DESCRIPTION, facts.method(case)),
            _findings(case),
            _section(codes.IMPRESSIONS, codes.IMPRESSION, _impression(case)),
        ]
    )
    dataset = base.new(case, "readable", EnhancedSRStorage)
    document(dataset, case, root, "readable")
    return dataset


def _section(title: CodedConcept, name: CodedConcept, lines: list[str]) -> sr.ContainerContentItem:
    """A heading with one TEXT item a sentence."""
    section = sr.ContainerContentItem(title, relationship_type=CONTAINS)
    section.ContentSequence = sr.ContentSequence([text(name, line) for line in lines])
    return section


def _findings(case: Case) -> sr.ContainerContentItem:
    """The result, the slice table and the images that show it best."""
    lines = [*facts.outcome(case), *facts.slice_lines(case, MOST_SLICES), *facts.notes(case)]
    section = _section(codes.FINDINGS, codes.FINDING, lines)
    if case.report.finding is not None:
        section.ContentSequence.extend(
            image(codes.BEST_ILLUSTRATION, found.source) for found in matter(case, ILLUSTRATIONS)
        )
    return section


def _impression(case: Case) -> list[str]:
    """The result again, and that nobody has verified it."""
    return [facts.outcome(case)[0], f"{case.say('banner')}. {case.say('limits')}"]

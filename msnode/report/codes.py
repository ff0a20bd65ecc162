"""The coded concepts of the results (PS3.16), and the few that no standard scheme has."""

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from msnode.records.lesions import Change, Laterality, Region
from msnode.records.vocabulary import Coded

PRIVATE = "99MSNODE"


def _code(value: str, scheme: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator=scheme, meaning=meaning)


ARTIFICIAL_INTELLIGENCE = CodedConcept.from_code(codes.DCM.ArtificialIntelligence)
PROCESSING_EQUIPMENT = CodedConcept.from_code(codes.DCM.ProcessingEquipment)
SALIENCY = CodedConcept.from_code(codes.DCM.Saliency)
SOURCE_IMAGE = CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
ALGORITHM_NAME = CodedConcept.from_code(codes.DCM.AlgorithmName)
ALGORITHM_VERSION = CodedConcept.from_code(codes.DCM.AlgorithmVersion)
BEST_ILLUSTRATION = CodedConcept.from_code(codes.DCM.BestIllustrationOfFinding)
COMMENT = CodedConcept.from_code(codes.DCM.Comment)
DEVICE = CodedConcept.from_code(codes.DCM.Device)
PERSON = CodedConcept.from_code(codes.DCM.Person)
FINDING = CodedConcept.from_code(codes.DCM.Finding)
FINDINGS = CodedConcept.from_code(codes.DCM.Findings)
IMAGING_REPORT = CodedConcept.from_code(codes.LN.DiagnosticImagingReport)
UNSPECIFIED_CALCULATION = CodedConcept.from_code(codes.DCM.UnspecifiedMethodOfCalculation)
IMPRESSION = CodedConcept.from_code(codes.DCM.Impression)
IMPRESSIONS = CodedConcept.from_code(codes.DCM.Impressions)
KEY_OBJECT_DESCRIPTION = CodedConcept.from_code(codes.DCM.KeyObjectDescription)
OF_INTEREST = CodedConcept.from_code(codes.DCM.OfInterest)
PREVIOUS_FINDING = CodedConcept.from_code(codes.DCM.PreviousFinding)
PREVIOUS_FINDINGS = CodedConcept.from_code(codes.DCM.PreviousFindings)
QUALITY_ISSUE = CodedConcept.from_code(codes.DCM.QualityIssue)
PROCEDURE_DESCRIPTION = CodedConcept.from_code(codes.DCM.ProcedureDescription)
PROCEDURE_DESCRIPTIONS = CodedConcept.from_code(codes.DCM.CurrentProcedureDescriptions)
PERCENT = _code("%", "UCUM", "Percent")
NO_UNITS = _code("1", "UCUM", "no units")

REASON = _code("NO_DECISION", PRIVATE, "Reason for no decision")
READING_PRIORITY = _code("READ_PRIORITY", PRIVATE, "Suggested reading priority")

PRIORITY_REASON = _code("PRIORITY_WHY", PRIVATE, "Reason for the suggested reading priority")

SEGMENTATION = CodedConcept.from_code(codes.DCM.SegmentationImageDerivation)
ABNORMAL_STRUCTURE = CodedConcept.from_code(codes.SCT.MorphologicallyAbnormalStructure)
HYPERINTENSITY = CodedConcept.from_code(codes.DCM.WhiteMatterT2Hyperintensity)
NUMBER_OF_LESIONS = _code("246206008", "SCT", "Number of lesions")
VOLUME = CodedConcept.from_code(codes.SCT.Volume)
LONG_AXIS = CodedConcept.from_code(codes.SCT.LongAxis)
COUNTS = _code("{counts}", "UCUM", "Counts")
MILLILITRE = _code("ml", "UCUM", "milliliter")
CUBIC_MILLIMETRE = _code("mm3", "UCUM", "cubic millimeter")
MILLIMETRE = _code("mm", "UCUM", "millimeter")

LESION_PROBABILITY = _code("LESION_PROB", PRIVATE, "Probability of lesion")
LESION_CHANGE = _code("LESION_CHANGE", PRIVATE, "Change since the earlier scan")
VOLUME_CHANGE = _code("VOLUME_CHANGE", PRIVATE, "Change of lesion volume since the earlier scan")
VOLUME_ERROR = _code("VOLUME_ERROR", PRIVATE, "Measurement error of the change of lesion volume")
COMPARED_WITH = _code("COMPARED_WITH", PRIVATE, "Date of the study compared with")

COUNTED: dict[Change, CodedConcept] = {
    "new": _code("NEW_LESIONS", PRIVATE, "Number of new lesions"),
    "enlarging": _code("ENLARGING", PRIVATE, "Number of enlarging lesions"),
    "shrinking": _code("SHRINKING", PRIVATE, "Number of shrinking lesions"),
    "gone": _code("GONE_LESIONS", PRIVATE, "Number of lesions no longer seen"),
}
"""Counts of a comparison; no standard scheme has them."""

CHANGED: dict[Change, CodedConcept] = {
    "new": _code("7147002", "SCT", "New"),
    "enlarging": CodedConcept.from_code(codes.SCT.IncreaseInSize),
    "shrinking": CodedConcept.from_code(codes.SCT.DecreaseInSize),
    "unchanged": CodedConcept.from_code(codes.SCT.NoChange),
}
"""What became of a lesion that is there."""

REGIONS: dict[Region, CodedConcept] = {
    "periventricular": _code("PERIVENTRICULAR", PRIVATE, "Periventricular"),
    "juxtacortical": _code("JUXTACORTICAL", PRIVATE, "Juxtacortical"),
    "infratentorial": _code("INFRATENTORIAL", PRIVATE, "Infratentorial"),
    "deep_white": _code("DEEP_WHITE", PRIVATE, "Deep white matter"),
}
"""Modifiers of the finding site "brain"; "unknown" has none."""

LATERALITY: dict[Laterality, CodedConcept] = {
    "left": CodedConcept.from_code(codes.SCT.Left),
    "right": CodedConcept.from_code(codes.SCT.Right),
    "both": CodedConcept.from_code(codes.SCT.RightAndLeft),
}
"""Of the finding site (CID 244, which knows no midline)."""

DECISIONS = {
    "present": CodedConcept.from_code(codes.SCT.Present),
    "absent": CodedConcept.from_code(codes.SCT.Absent),
    "undetermined": CodedConcept.from_code(codes.SCT.Undetermined),
}
"""CID 240 Present-Absent; "not analysed" is reported as undetermined, with its reason."""

PRIORITIES = {
    True: _code("103391001", "SCT", "Urgent procedure"),
    False: _code("373113001", "SCT", "Routine procedure"),
}
"""By `Report.is_urgent`: the study should be read before the others."""

JUDGEMENT = _code("READER_JUDGED", PRIVATE, "Judgement of a reader")
JUDGEMENTS = {
    "finished": _code("READ", PRIVATE, "Reading finished"),
    "agree": _code("AGREES", PRIVATE, "Agrees with the AI result"),
    "wrong_series": _code("WRONG_SERIES", PRIVATE, "Another series should have been read"),
    "not_ms": _code("NOT_MS", PRIVATE, "Lesions of another cause than multiple sclerosis"),
    "reject": _code("NO_LESION", PRIVATE, "Outline is no lesion"),
    "add": _code("MISSED", PRIVATE, "Lesion missed by the AI"),
}
"""What a reader says of a result, by `records.feedback.FeedbackKind`."""
REJECTED_AS = _code("REJECTED_AS", PRIVATE, "Reason for rejecting an outline")
REJECTIONS = {
    "artefact": _code("47973001", "SCT", "Artifact"),
    "vessel": _code("59820001", "SCT", "Blood vessel structure"),
    "normal_rim": _code("NORMAL_RIM", PRIVATE, "Normal rim"),
    "other": _code("74964007", "SCT", "Other"),
}
"""By `records.feedback.RejectReason`."""

LANGUAGES = {
    "en": _code("en", "RFC5646", "English"),
    "de": _code("de", "RFC5646", "German"),
    "fr": _code("fr", "RFC5646", "French"),
    "es": _code("es", "RFC5646", "Spanish"),
    "nl": _code("nl", "RFC5646", "Dutch"),
}
"""TID 1204; BCP 47 tags."""


def concept(coded: Coded) -> CodedConcept:
    """A word of a route's vocabulary as it stands in an object."""
    return _code(*coded)


def private_scheme() -> Dataset:
    """CodingSchemeIdentificationSequence item that names our own scheme (PS3.3 C.12.1.1.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE
    item.CodingSchemeName = "msnode private codes"
    item.CodingSchemeResponsibleOrganization = "msnode"
    return item

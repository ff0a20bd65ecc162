"""What the results of a route call things: codes as in PS3.16, free of any library."""

from dataclasses import dataclass
from typing import NamedTuple


class Coded(NamedTuple):
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a route's report.

    Attributes:
        body_part: BodyPartExamined (0018,0015).
        region: AnatomicRegionSequence, finding site.
        procedure: what was reported on.
        finding: what the model looks for.
        condition: what was seen where the finding is present; never a disease.
        study_probability: name of the measurement of the study.
        image_probability: name of the measurement of an image.
        prefix: of the phrases that stand in the place of those for a brain MRI; "" for none.
    """

    body_part: str
    region: Coded
    procedure: Coded
    finding: Coded
    condition: Coded
    study_probability: Coded
    image_probability: Coded
    prefix: str = ""

    @property
    def has_places(self) -> bool:
        """Whether images lie in the patient, so that there are sides, maps and outlines."""
        return not self.prefix


BRAIN = Vocabulary(
    body_part="BRAIN",
    region=Coded("12738006", "SCT", "Brain"),
    procedure=Coded("24590-2", "LN", "MR Brain"),
    finding=Coded("MS_PATTERN", "99MSNODE", "Multiple sclerosis pattern"),
    condition=Coded("110702", "DCM", "White Matter T2 Hyperintensity"),
    study_probability=Coded("STUDY_PROB", "99MSNODE", "Probability of MS pattern in study"),
    image_probability=Coded("IMAGE_PROB", "99MSNODE", "Probability of MS pattern in image"),
)

SMEAR = Vocabulary(
    body_part="",  # PS3.16 Annex L has no term for blood
    region=Coded("87612001", "SCT", "Blood"),
    procedure=Coded("104157003", "SCT", "Light microscopy"),
    finding=Coded("MS_CELLS", "99MSNODE", "Multiple sclerosis pattern in blood cells"),
    condition=Coded("MS_CELLS", "99MSNODE", "Multiple sclerosis pattern in blood cells"),
    study_probability=Coded("STUDY_PROB", "99MSNODE", "Probability of MS pattern in study"),
    image_probability=Coded("IMAGE_PROB", "99MSNODE", "Probability of MS pattern in image"),
    prefix="smear_",
)

"""What a model says of a study, and everything the result objects are made of."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from msnode.records.images import Float32Array, SeriesChoice, Slices, SourceFrame, SourcePoint
from msnode.records.lesions import LesionFinding, LesionMaps, Region
from msnode.records.population import Strata
from msnode.records.sentences import Text
from msnode.records.timeline import Timeline
from msnode.records.vocabulary import BRAIN, Vocabulary

Decision = Literal["present", "absent", "undetermined"]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the classifier says of each slice.

    Attributes:
        probabilities: (slices,) float32 in [0, 1], calibrated probability of an MS pattern.
        saliency: (slices, rows, cols) float32 in [0, 1], on one scale for the whole study.
    """

    probabilities: Float32Array
    saliency: Float32Array


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model spoke; goes into every result.

    Attributes:
        digest: sha256 hex digest of weights and contract: it changes when the model does.
        threshold: study probability from which the decision is "present".
        undetermined: half-open interval of study probabilities without a decision, or None.
        sensitivity: at the threshold, as measured in CARD.md, with what it was measured on in
            ``measured_on``; None where not measured; likewise ``specificity``.
        strata: that its figures hold for; a study outside of them gets no decision.
        notice: the sentence on training data and licence that the reader must see.
        translations: ``notice`` and ``measured_on`` by language.
    """

    name: str
    version: str
    digest: str
    threshold: float
    undetermined: tuple[float, float] | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    measured_on: str = ""
    notice: str = ""
    strata: Strata = Strata()  # noqa: RUF009 - frozen
    translations: dict[str, dict[str, str]] = field(default_factory=dict)

    def told(self, sentence: Literal["notice", "measured_on"], language: str) -> str:
        """One of the bundle's sentences in a language, or as the bundle has it."""
        own: str = getattr(self, sentence)
        return self.translations.get(language, {}).get(sentence, own)


@dataclass(frozen=True, slots=True)
class SliceFinding:
    """One slice's part in the result.

    Attributes:
        index: 0-based, from the feet to the head.
        probability: in [0, 1].
        source: the source frame it came from.
        peak: where the saliency peaks, on the source images.
        peak_value: the saliency there, in [0, 1].
    """

    index: int
    probability: float
    source: SourceFrame
    peak: SourcePoint
    peak_value: float


@dataclass(frozen=True, slots=True)
class Finding:
    """The study's result: calibrated probability, decision, and the slices behind it.

    Attributes:
        probability: in [0, 1].
        threshold: from which a decision is "present".
        slices: from the feet to the head.
        doubts: why there is no decision whatever the probability is; () where nothing forbids one.
        basis: what of the outlined lesions the probability rests on; None where on slices alone.
    """

    probability: float
    threshold: float
    decision: Decision
    slices: tuple[SliceFinding, ...]
    doubts: tuple[Text, ...] = ()
    basis: Text | None = None


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The earlier result of the same study that a revised one replaces.

    Attributes:
        digest: ``ModelInfo.digest`` of the model that made it.
        decision: None where the study was not analysed then.
        probability: of the study then, in [0, 1], or None.
        folders: with the objects that the destinations of the new result got then; None where
            that is not known any more, and they are taken to have got the same objects.
    """

    generation: int
    digest: str
    decision: Decision | None = None
    probability: float | None = None
    folders: tuple[Path, ...] | None = None


@dataclass(frozen=True, slots=True)
class DocumentReference:
    """An SR that this node made of another study, as others refer to it (PS3.3 C.17.2.1)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Prior:
    """The result of an earlier study of the same patient.

    Attributes:
        decision: None where that study was not analysed.
        probability: in [0, 1], or None.
        threshold: from which the decision was "present".
        model: name and version of the model then.
        digest: its ``ModelInfo.digest``; probabilities of different models do not compare.
        lesion_count: number of lesions outlined; None where none were looked for.
        lesion_ml: their volume, likewise.
        lesion_digest: of the network that outlined them; volumes of different ones do not compare.
        lesion_regions: ml by region; () where that is not on record.
        documents: the measurement SRs of its latest result; () likewise.
    """

    study_date: date
    decision: Decision | None
    probability: float | None
    threshold: float | None
    model: str
    digest: str
    lesion_count: int | None = None
    lesion_ml: float | None = None
    lesion_digest: str = ""
    lesion_regions: tuple[tuple[Region, float], ...] = ()
    documents: tuple[DocumentReference, ...] = ()


@dataclass(frozen=True, slots=True)
class Priority:
    """How soon a study should be read, and why.

    Attributes:
        is_urgent: before the others.
        why: for the reader.
    """

    is_urgent: bool
    why: Text


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the result objects are made of.

    Attributes:
        header: a file of the study whose patient and study attributes the results copy: one of
            the chosen series, or any image of the study where none was chosen.
        evidence: files of the study that were looked at, for the evidence sequences.
        finding: None where the study could not be analysed; then ``reason`` says why.
        seconds: processing time by stage.
        created_at: unix time in seconds; fixed once, so that a retry writes the same bytes.
        predecessor: the result that this one replaces, or None.
        priors: of earlier studies, as far as the node knows them, oldest first.
        words: of the route that the study went.
        is_redone: somebody asked for it; no image has come since the result before.
        is_compared_anew: earlier studies of the patient have come since.
        lesions: what was outlined; None where no network outlines.
        maps: of it, voxel by voxel; None where nothing was outlined.
        priority: by the site's rule; None where the study was not analysed.
        timeline: the patient's course; None where there is none to draw.
    """

    study_instance_uid: str
    generation: int
    header: Path
    evidence: tuple[Path, ...]
    series: tuple[SeriesChoice, ...]
    model: ModelInfo
    created_at: float
    finding: Finding | None = None
    slices: Slices | None = None
    scores: Scores | None = None
    reason: Text | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    predecessor: Predecessor | None = None
    priors: tuple[Prior, ...] = ()
    words: Vocabulary = BRAIN
    is_redone: bool = False
    is_compared_anew: bool = False
    lesions: LesionFinding | None = None
    maps: LesionMaps | None = None
    priority: Priority | None = None
    timeline: Timeline | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether to read the study before the others."""
        return self.priority is not None and self.priority.is_urgent

"""The study's result from the scores of its slices."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from msnode.classify import saliency
from msnode.classify.bundle import Manifest
from msnode.classify.decision import PatternRule, decision, sigmoid, study_logit
from msnode.records import population
from msnode.records.images import Float32Array, Slices
from msnode.records.lesions import LesionFinding, LesionPattern
from msnode.records.results import Finding, Scores, SliceFinding
from msnode.records.sentences import Sentence, Text

MOST_OF_THE_HEAD = 0.5
"""Share of the head above half of the saliency's scale from which it points to no place."""
MEANINGLESS = ("mass", "void", "blind")
"""Doubts of outlines with which their number and places say nothing of MS (see docs/lesions.md)."""
UNCLEAR_PLACE = 0.25
"""`LesionPattern.place` so near to 0 is called neither typical nor untypical."""


def decide(
    scores: Scores, slices: Slices, manifest: Manifest, lesions: LesionFinding | None = None
) -> Finding:
    """Apply the study's rules and the threshold, and say where each slice's saliency peaks.

    What speaks against the images or the model (see `_doubts`) makes it undetermined.

    Args:
        scores: of the slices.
        slices: as the classifier saw them.
        manifest: of the bundle that scored them.
        lesions: what was outlined; None where nothing outlines.
    """
    study = study_logit(scores.probabilities, manifest.rule, slices.distance_mm)
    basis, missing = None, None
    if manifest.pattern is not None:
        seen = _pattern(lesions, manifest.pattern)
        if isinstance(seen, LesionPattern):
            study = manifest.pattern.logit(seen, study)
            basis = _basis(seen, manifest.pattern)
        else:
            missing = seen
    probability = float(sigmoid(np.array(study)))
    tiled = manifest.input.is_tiled
    heads = np.ones(slices.pixels[:, 0].shape, bool) if tiled else saliency.head(slices.pixels)
    findings = []
    for index, value in enumerate(scores.probabilities):
        shown = scores.saliency[index]
        row, col = _middle(shown) if tiled else _peak(shown, heads[index].astype(np.float32))
        findings.append(
            SliceFinding(
                index=index,
                probability=float(value),
                source=slices.source(index),
                peak=slices.locate(index, col, row),
                peak_value=float(shown[row, col]),
            )
        )
    doubts = (
        *((missing,) if missing is not None else ()),
        *_doubts(scores, slices, manifest, heads),
    )
    return Finding(
        probability=probability,
        threshold=manifest.threshold,
        decision="undetermined"
        if doubts
        else decision(probability, manifest.threshold, manifest.undetermined),
        slices=tuple(findings),
        doubts=doubts,
        basis=basis,
    )


def _pattern(lesions: LesionFinding | None, rule: PatternRule) -> LesionPattern | Sentence:
    """What the lesions are like, or why that cannot be told: then there is no decision."""
    if lesions is None or lesions.reason is not None:
        return Sentence("no_outlines")
    if lesions.model.digest != rule.network:
        return Sentence("other_network")
    return lesions.doubt(*MEANINGLESS) or lesions.pattern or Sentence("not_placed")


def _basis(seen: LesionPattern, rule: PatternRule) -> Sentence:
    """What a decision rests on, in words and numbers that a reader can check."""
    if not seen.count:
        return Sentence("pattern_empty" if rule.count else "pattern_none")
    places = "places_unclear"
    if abs(seen.place) > UNCLEAR_PLACE:
        places = "places_ms" if seen.place > 0 else "places_other"
    if not rule.count:
        return Sentence("pattern_places", places=Sentence(places))
    return Sentence("pattern_basis", count=seen.count, places=Sentence(places))


def _doubts(
    scores: Scores, slices: Slices, manifest: Manifest, heads: NDArray[np.bool_]
) -> Iterator[Text]:
    """Why no decision is made: a cut head, a study of another kind, a saliency that is everywhere.

    What was measured of a model holds for studies of the kind that it was measured on.
    """
    yield from slices.doubts
    yield from population.outside(manifest.strata, slices.acquisition, slices.distance_mm)
    if manifest.input.is_tiled or manifest.pattern is not None:
        return  # a tile is told as a whole; where lesions are, their outlines say
    highest = manifest.rule.highest(slices.distance_mm)
    if (share := _covered(scores, heads, highest)) > MOST_OF_THE_HEAD:
        yield Sentence("saliency_wide", share=round(100 * share))


def _covered(scores: Scores, heads: NDArray[np.bool_], highest: float) -> float:
    """Share of the head that the saliency covers, on the slices that decide."""
    decisive = np.argsort(scores.probabilities)[-round(highest) :]
    shown = (scores.saliency[decisive] > 0.5) & heads[decisive]
    return float(shown.sum() / max(heads[decisive].sum(), 1))


def _middle(shown: Float32Array) -> tuple[int, int]:
    """Row and column of the middle of a tile, by which it is pointed to."""
    return shown.shape[0] // 2, shown.shape[1] // 2


def _peak(shown: Float32Array, inside: Float32Array) -> tuple[int, int]:
    """Row and column of the highest saliency inside the head; its middle where there is none."""
    if (shown * inside).max() > 0:
        inside = shown * inside
    else:
        rows, cols = np.indices(shown.shape)
        middle = (np.average(rows, weights=inside), np.average(cols, weights=inside))
        inside = inside / (1 + np.hypot(rows - middle[0], cols - middle[1]))
    row, col = np.unravel_index(int(np.argmax(inside)), shown.shape)
    return int(row), int(col)

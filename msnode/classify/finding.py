"""The study's result from the scores of its slices."""

import numpy as np

from msnode.classify import saliency
from msnode.classify.bundle import Manifest
from msnode.classify.decision import decision, study_probability
from msnode.records.images import Float32Array, Slices
from msnode.records.results import Finding, Scores, SliceFinding


def decide(scores: Scores, slices: Slices, manifest: Manifest) -> Finding:
    """Apply the study rule and the threshold, and say where each slice's saliency peaks.

    What speaks against the images (a head of which a part is missing) makes it undetermined.

    Args:
        scores: of the slices.
        slices: as the classifier saw them.
        manifest: of the bundle that scored them.
    """
    probability = study_probability(scores.probabilities, manifest.rule)
    heads = saliency.head(slices.pixels)
    findings = []
    for index, value in enumerate(scores.probabilities):
        shown = scores.saliency[index]
        row, col = _peak(shown, heads[index].astype(np.float32))
        findings.append(
            SliceFinding(
                index=index,
                probability=float(value),
                source=slices.source(index),
                peak=slices.locate(index, col, row),
                peak_value=float(shown[row, col]),
            )
        )
    return Finding(
        probability=probability,
        threshold=manifest.threshold,
        decision="undetermined"
        if slices.doubts
        else decision(probability, manifest.threshold, manifest.undetermined),
        slices=tuple(findings),
    )


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

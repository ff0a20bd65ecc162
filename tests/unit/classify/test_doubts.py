"""When no decision is made whatever the probability is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from msnode.classify import Manifest
from msnode.classify.finding import decide
from msnode.records.images import Float32Array, InputContract, Slices
from msnode.records.population import Acquisition, Strata
from msnode.records.results import Scores

MANIFEST = Manifest(
    "m",
    "1",
    "shallow_cnn",
    InputContract(("FLAIR",), 64, 64),
    strata=Strata((18, None), (1.5, 1.5), None, ("Toshiba",), ("2D",)),
)
USUAL = Acquisition(40.0, 1.5, 5.0, "TOSHIBA", "2D")


@pytest.fixture
def head(as_slices: Callable[[Float32Array], Slices]) -> Slices:
    pixels = np.zeros((4, 1, 64, 64), np.float32)
    pixels[:, :, 12:52, 12:52] = 1
    return replace(as_slices(pixels), acquisition=USUAL)


def scores(covered: float = 0.1, probability: float = 0.95) -> Scores:
    """Saliency over the upper part of the head."""
    saliency = np.zeros((4, 64, 64), np.float32)
    saliency[:, 12 : 12 + round(40 * covered)] = 0.8
    return Scores(np.full(4, probability, np.float32), saliency)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"field_strength_t": 3.0}, "3 T"),
        ({"manufacturer": "SIEMENS"}, "SIEMENS"),
        ({"age_years": 12.0}, "12"),
        ({"dimensions": "3D"}, "3D"),
    ],
)
def test_a_study_of_another_kind_is_not_decided(
    head: Slices, changed: dict[str, Any], says: str
) -> None:
    """What was measured of the model does not hold for it: 25 of 25 without MS were "present"."""
    assert decide(scores(), head, MANIFEST).decision == "present"
    other = replace(head, acquisition=replace(USUAL, **changed))
    finding = decide(scores(), other, MANIFEST)
    assert finding.decision == "undetermined"
    assert finding.probability == decide(scores(), head, MANIFEST).probability
    (why,) = finding.doubts
    assert says in str(why)


def test_what_the_header_does_not_say_is_not_outside(head: Slices) -> None:
    assert decide(scores(), replace(head, acquisition=Acquisition()), MANIFEST).doubts == ()


@pytest.mark.parametrize(("covered", "decided"), [(0.4, "present"), (0.6, "undetermined")])
def test_a_saliency_that_is_everywhere_points_to_nothing(
    head: Slices, covered: float, decided: str
) -> None:
    finding = decide(scores(covered), head, MANIFEST)
    assert finding.decision == decided
    assert [("60%" in str(doubt)) for doubt in finding.doubts] == [True] * (covered > 0.5)


def test_only_the_slices_that_decide_are_looked_at(head: Slices) -> None:
    made = scores(0.9)
    made.saliency[1:] = 0
    made.probabilities[:] = (0.1, 0.9, 0.9, 0.9)
    assert decide(made, head, MANIFEST).doubts == ()


def test_an_absent_pattern_is_not_decided_either(head: Slices) -> None:
    other = replace(head, acquisition=replace(USUAL, manufacturer="SIEMENS"))
    assert decide(scores(probability=0.02), other, MANIFEST).decision == "undetermined"

"""A decision that rests on the outlined lesions, and none where they cannot tell."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from msnode.classify import Manifest
from msnode.classify.decision import PatternRule
from msnode.classify.finding import decide
from msnode.records.images import Float32Array, InputContract, Slices
from msnode.records.lesions import LesionFinding, LesionModel, LesionPattern
from msnode.records.results import Scores
from msnode.records.sentences import Sentence, Text

NETWORK = "n" * 64
MANIFEST = Manifest(
    "m",
    "1",
    "shallow_cnn",
    InputContract(("FLAIR",), 64, 64),
    pattern=PatternRule(NETWORK, offset=-4.0, count=2.0, place=2.0),
)
MANY = LesionPattern(count=24, place=0.6)
CONFLUENT = LesionPattern(count=4, place=-1.1)


@pytest.fixture
def head(as_slices: Callable[[Float32Array], Slices]) -> Slices:
    pixels = np.zeros((4, 1, 64, 64), np.float32)
    pixels[:, :, 12:52, 12:52] = 1
    return as_slices(pixels)


def scores() -> Scores:
    """Slices that all show lesions, whatever their cause."""
    saliency = np.zeros((4, 64, 64), np.float32)
    saliency[:, 12:16] = 0.8
    return Scores(np.full(4, 0.95, np.float32), saliency)


def outlined(pattern: LesionPattern | None, reason: Text | None = None) -> LesionFinding:
    return LesionFinding(LesionModel("l", "1", NETWORK, 0.5), reason=reason, pattern=pattern)


def test_many_separate_lesions_are_the_pattern_and_few_confluent_ones_are_not(
    head: Slices,
) -> None:
    many = decide(scores(), head, MANIFEST, outlined(MANY))
    confluent = decide(scores(), head, MANIFEST, outlined(CONFLUENT))
    assert (many.decision, confluent.decision) == ("present", "absent")
    assert confluent.probability < 0.05 < 0.95 < many.probability
    assert str(many.basis) == (
        "it rests on the slices, on 24 separate hyperintensities, and on where they lie: mostly"
        " where people with MS have them"
    )
    assert "where elderly people without MS have them" in str(confluent.basis)


def test_a_number_that_does_not_count_is_not_said(head: Slices) -> None:
    rule = PatternRule(NETWORK, offset=0.0, count=0.0, place=2.0, classifier=1.0)
    found = decide(scores(), head, replace(MANIFEST, pattern=rule), outlined(MANY))
    assert str(found.basis) == (
        "it rests on the slices, and on where hyperintensities lie: mostly where people with MS"
        " have them"
    )
    none = outlined(LesionPattern(0, 0.0))
    found = decide(scores(), head, replace(MANIFEST, pattern=rule), none)
    assert str(found.basis) == "it rests on the slices alone, as no hyperintensity is outlined"
    counted = decide(scores(), head, MANIFEST, none)
    told = "it rests on the slices, and on that no hyperintensity is outlined"
    assert str(counted.basis) == told


@pytest.mark.parametrize(
    ("lesions", "code"),
    [
        (None, "no_outlines"),
        (outlined(None, reason="the GPU is away"), "no_outlines"),
        (outlined(None), "not_placed"),
        (replace(outlined(MANY), doubts=(Sentence("mass", mm=30),)), "mass"),
        (replace(outlined(MANY), model=LesionModel("l", "2", "o" * 64, 0.5)), "other_network"),
    ],
)
def test_without_outlines_of_its_network_nothing_is_decided(
    head: Slices, lesions: LesionFinding | None, code: str
) -> None:
    finding = decide(scores(), head, MANIFEST, lesions)
    assert finding.decision == "undetermined"
    assert finding.basis is None
    (why,) = finding.doubts
    assert isinstance(why, Sentence)
    assert why.code == code


def test_a_saliency_that_is_everywhere_forbids_no_decision_that_rests_on_outlines(
    head: Slices,
) -> None:
    wide = scores()
    wide.saliency[:] = 0.9
    assert decide(wide, head, MANIFEST, outlined(MANY)).doubts == ()
    assert decide(wide, head, replace(MANIFEST, pattern=None)).decision == "undetermined"


def test_a_bundle_without_such_a_rule_decides_by_its_slices(head: Slices) -> None:
    plain = replace(MANIFEST, pattern=None)
    assert decide(scores(), head, plain, outlined(CONFLUENT)).decision == "present"
    assert decide(scores(), head, plain).basis is None

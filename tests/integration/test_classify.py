"""The bundle in the repository on the sample study: load, score, decide, store."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from msnode.classify import (
    Bundle,
    Runner,
    decision,
    load_bundle,
    load_scores,
    saliency,
    save_scores,
)
from msnode.classify.device import bfloat16_pays
from msnode.config import BUNDLE, Classify
from msnode.prepare import prepare
from msnode.records.images import Slices
from msnode.records.results import Scores


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


@pytest.fixture(scope="module")
def runner(bundle: Bundle) -> Iterator[Runner]:
    runner = Runner(bundle, Classify(device="cpu"))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def slices(sample_study: Sequence[Path], bundle: Bundle) -> Slices:
    return prepare(sample_study, bundle.contract).slices


@pytest.fixture(scope="module")
def scores(runner: Runner, slices: Slices) -> Scores:
    return runner.score(slices)


def test_served_as_plain_pytorch_says(bundle: Bundle, slices: Slices, scores: Scores) -> None:
    with torch.inference_mode():
        logits = bundle.model(torch.from_numpy(slices.pixels)).numpy()
    m = bundle.manifest
    plain = decision.slice_probabilities(logits, m.calibration)
    # bfloat16, where it pays, is held to 0.01 on the phantom; a slice may differ by more
    most = 0.02 if bfloat16_pays(torch.device("cpu")) else 0.01
    np.testing.assert_allclose(scores.probabilities, plain, atol=most)
    studies = [
        decision.study_probability(p, m.rule, slices.distance_mm)
        for p in (plain, scores.probabilities)
    ]
    assert abs(studies[0] - studies[1]) < 0.01
    said = [decision.decision(p, m.threshold, m.undetermined) for p in studies]
    assert said[0] == said[1]
    assert np.array_equal(plain >= 0.5, scores.probabilities >= 0.5)


def test_the_same_study_gets_the_same_result(
    runner: Runner, slices: Slices, scores: Scores
) -> None:
    again = runner.score(slices)
    assert np.array_equal(again.probabilities, scores.probabilities)
    assert np.array_equal(again.saliency, scores.saliency)


def test_every_peak_lies_in_the_head_on_its_source(
    runner: Runner, slices: Slices, scores: Scores
) -> None:
    finding = runner.decide(scores, slices)
    heads = saliency.head(slices.pixels)
    assert 0.1 < heads.mean() < 0.8
    assert not scores.saliency[~heads].any()
    assert len(finding.slices) == len(slices.pixels)
    for found in finding.slices:
        point, source = found.peak, found.peak.source
        assert 0 <= point.column < source.columns
        assert 0 <= point.row < source.rows
        patient = source.affine @ np.array([point.column, point.row, 0, 1])
        col, row, *_ = np.linalg.lstsq(slices.affines[found.index], patient, rcond=None)[0]
        assert heads[found.index, round(row), round(col)]
        assert found.peak_value == pytest.approx(scores.saliency[found.index].max())


def test_the_result_survives_the_disk(
    runner: Runner, slices: Slices, scores: Scores, tmp_path: Path
) -> None:
    finding = runner.decide(scores, slices)
    save_scores(scores, finding, tmp_path)
    again, found = load_scores(tmp_path)
    assert np.array_equal(again.saliency, scores.saliency)
    assert found.decision == finding.decision
    assert [s.peak.graphic_data for s in found.slices] == [
        s.peak.graphic_data for s in finding.slices
    ]

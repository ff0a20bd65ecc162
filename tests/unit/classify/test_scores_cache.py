"""Scores and finding survive the way over the disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from msnode.classify import Bundle, load_scores, save_scores
from msnode.classify.finding import decide
from msnode.records.images import Float32Array, Slices
from msnode.records.results import Scores
from tests.unit.classify.conftest import planted


def test_scores_come_back(
    tmp_path: Path, bundle: Bundle, as_slices: Callable[[Float32Array], Slices]
) -> None:
    rng = np.random.default_rng(0)
    scores = Scores(rng.random(4, np.float32), rng.random((4, 64, 64), np.float32))
    finding = decide(scores, as_slices(planted(4, rng)[0]), bundle.manifest)
    save_scores(scores, finding, tmp_path)
    again, found = load_scores(tmp_path)
    assert np.array_equal(again.probabilities, scores.probabilities)
    assert np.array_equal(again.saliency, scores.saliency)
    assert (found.probability, found.decision) == (finding.probability, finding.decision)
    for before, after in zip(finding.slices, found.slices, strict=True):
        assert np.array_equal(before.source.affine, after.source.affine)
        assert (before.peak.column, before.peak.row) == (after.peak.column, after.peak.row)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["finding.json", "scores.safetensors"]


def test_half_a_result_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "scores.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        load_scores(tmp_path)

"""Calibration, study rule, operating points, and lesion-filled twins of a cohort."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from msnode.classify import Calibration, Classifier, StudyRule, load_bundle
from msnode.errors import ConfigError, Refused
from msnode.learn import plan
from msnode.learn.data import index_csv
from msnode.learn.data.examples import Examples
from msnode.learn.evaluate import controls, operating_point, platt_scaling
from msnode.learn.evaluate.paired import Scored, against_twins
from msnode.learn.runs import final_model, fold, fold_results, make_bundle
from msnode.learn.train.cohort import Cohort
from msnode.records.images import InputContract


class Brightest(Classifier):
    """Calls a slice by its brightest tissue; knows no more."""

    contract = InputContract(("FLAIR",), 112, 112)
    grids = ()

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return (images,)

    def head(self, maps: tuple[Tensor, ...]) -> Tensor:
        value = maps[0].flatten(1).topk(30).values.mean(1)
        return torch.stack([torch.zeros_like(value), 20 * (value - 0.6)], 1)


@pytest.fixture
def discs() -> Cohort:
    """Six heads of four slices, two of them with a lesion."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:112, :112] - 56
    lesions = np.zeros((24, 112, 112), np.bool_)
    lesions[1::4] = lesions[2::4] = np.hypot(x - 10, y) < 4
    pixels = np.where(np.hypot(x, y) < 45, 0.45, 0.0) + 0.3 * lesions
    pixels = np.clip(pixels + rng.normal(0, 0.01, pixels.shape), 0, 1)
    examples = Examples(
        torch.from_numpy(pixels).half(),
        np.arange(24) // 4,
        np.tile(np.arange(4.0), 6),
        np.ones((24, 2)),
        torch.from_numpy(lesions),
        np.ones(24, np.bool_),
        np.full(24, np.nan),
    )
    rows = [index_csv.Row(Path(f"{n}.nii"), f"p{n}", "ms", number=n + 2) for n in range(6)]
    return Cohort(rows, examples, np.asarray(lesions.any((1, 2)), np.int64))


def test_twins_lose_their_lesions_and_nothing_else(discs: Cohort) -> None:
    how = plan(target="lesions")
    assert controls.possible(discs, how, Brightest())
    assert not controls.possible(discs, plan(), Brightest())
    assert not controls.possible(discs, how, None)
    found = controls.scored(discs, Brightest(), np.arange(24), seed=0)
    assert against_twins(found) == 1
    free = ~found.bearing
    assert np.array_equal(found.real[free], found.twin[free])
    assert list(found.persons[:5]) == ["p0"] * 4 + ["p1"]


def test_scans_and_twins_are_told_apart_after_calibration(discs: Cohort) -> None:
    found = controls.scored(discs, Brightest(), np.arange(24), seed=0)
    verdict = operating_point.judge(operating_point.with_twins(found), sensitivity=0.9)
    scaled = found.scaled(verdict.calibration.slope, verdict.calibration.bias)
    probabilities = platt_scaling.sigmoid(scaled.real)
    assert probabilities[found.bearing].min() > 0.5 > probabilities[~found.bearing].max()
    evidence = operating_point.with_twins(scaled)
    studies, truths = operating_point.by_study(evidence)
    assert list(truths) == [1, 0] * 6  # each person's scan, then the filled twin
    chance = platt_scaling.sigmoid(verdict.rule.slope * studies + verdict.rule.bias)
    assert ((chance >= verdict.study_threshold) == (truths == 1)).all()


def test_platt_recovers_a_known_scale() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    labels = (rng.random(4000) < platt_scaling.sigmoid(0.5 * logits - 0.7)).astype(np.int64)
    slope, bias = platt_scaling.platt(logits, labels)
    assert slope == pytest.approx(0.5, abs=0.06)
    assert bias == pytest.approx(-0.7, abs=0.1)


def test_platt_of_separated_examples_stays_finite_and_rising() -> None:
    slope, bias = platt_scaling.platt(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0, 0, 1, 1]))
    chance = platt_scaling.sigmoid(slope * np.array([-3.0, 3.0]) + bias)
    assert 0.02 < chance[0] < 0.4
    assert 0.6 < chance[1] < 0.98
    reversed_slope, _ = platt_scaling.platt(
        np.array([3.0, 2.0, -2.0, -3.0]), np.array([0, 0, 1, 1])
    )
    assert reversed_slope > 0  # a worse model is trusted less, never turned round


def test_one_class_cannot_be_calibrated() -> None:
    with pytest.raises(Refused, match="both classes"):
        platt_scaling.platt(np.zeros(3), np.ones(3, np.int64))
    alone = operating_point.Evidence(np.zeros(3), np.ones(3, np.int64), np.array(["a", "b", "c"]))
    assert operating_point.judge(alone, 0.9).rule.slope == 1


def test_scaling_keeps_the_rest() -> None:
    s = Scored(np.array([1.0]), np.array([2.0]), np.array([9]), np.array(["a"]), np.array([3.0]))
    t = s.scaled(2, 1)
    assert (t.real[0], t.twin[0], t.heights_mm[0]) == (3, 5, 3)


def test_a_lesion_free_slice_counts_once(discs: Cohort) -> None:
    evidence = operating_point.with_twins(
        controls.scored(discs, Brightest(), np.arange(24), seed=0)
    )
    assert len(evidence.logits) == 48
    assert len(evidence.slices) == 36  # 24 slices and the filled copies of the 12 with lesions


def test_each_person_is_calibrated_by_the_others(discs: Cohort) -> None:
    raw = controls.scored(discs, Brightest(), np.arange(24), seed=0)
    found = final_model.held_back(raw, sensitivity=0.9)
    assert found.slices["auc"].value == found.studies["auc"].value == 1
    assert found.studies["sensitivity"].value == found.studies["specificity"].value == 1
    shifted = replace(raw, real=raw.real.copy(), twin=raw.twin.copy())
    odd = raw.persons == "p3"
    shifted.real[odd] += 30  # a person whose scan and twin both look ill to the others
    shifted.twin[odd] += 30
    assert final_model.held_back(shifted, 0.9).studies["specificity"].value == pytest.approx(5 / 6)


def test_a_finished_fold_gives_its_plain_logits_back(discs: Cohort, tmp_path: Path) -> None:
    raw = controls.scored(discs, Brightest(), np.arange(24), seed=0)
    verdict = operating_point.judge(operating_point.with_twins(raw), 0.9)
    scaled = raw.scaled(verdict.calibration.slope, verdict.calibration.bias)
    tested = fold.Tested("fold 1", np.arange(24), raw.real, raw.real, verdict, Brightest(), scaled)
    assert fold_results.read(tmp_path / "fold-1") is None
    fold_results.write(tmp_path / "fold-1", tested)
    again = fold_results.raw_twins(tmp_path)
    assert np.allclose(again.real, raw.real)
    assert np.allclose(again.twin, raw.twin)
    assert list(again.persons) == list(raw.persons)
    with pytest.raises(ConfigError, match="no finished fold"):
        fold_results.raw_twins(tmp_path / "fold-1")


def test_everyone_trains_the_bundle_and_others_measure_it(discs: Cohort, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(8):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 200, (32, 32)).astype(np.uint8)).save(path)
        rows.append(index_csv.Row(path, f"p{number}", "ms" if number % 2 else "control"))
    index_csv.write(tmp_path / "index.csv", rows)
    raw = controls.scored(discs, Brightest(), np.arange(24), seed=0)
    plain = operating_point.Judgement(Calibration(), StudyRule(), 0.5, 0.5)
    tested = fold.Tested("fold 1", np.arange(24), raw.real, raw.real, plain, twins=raw)
    fold_results.write(tmp_path / "measured" / "fold-1", tested)
    (tmp_path / "measured/metrics.json").write_text("{}")  # as of a finished run
    how = plan("shallow-cnn", epochs=1)
    index, measured = tmp_path / "index.csv", tmp_path / "measured"
    alone = final_model.train_on_everyone(index, tmp_path / "alone", how)
    assert (alone.calibration, alone.sensitivity) == (Calibration(), None)
    found = final_model.train_on_everyone(index, tmp_path / "run", how, measured)
    assert load_bundle(tmp_path / "run" / "bundle").manifest == found
    assert (
        found.calibration
        == operating_point.judge(operating_point.with_twins(raw), how.sensitivity).calibration
    )
    assert (found.sensitivity, found.specificity) == (1, 1)
    assert "the run measured" in (tmp_path / "run" / "bundle" / "CARD.md").read_text()
    with pytest.raises(ConfigError, match="for comparison only"):
        final_model.train_on_everyone(index, tmp_path / "svm", plan("svm"))


@pytest.mark.parametrize(
    ("threshold", "ece", "band"),
    [
        (0.5, 0.113, (0.39, 0.61)),  # the shipped bundle's
        (0.05, 0.2, (0.0, 0.25)),
        (0.9, 0.2, (0.7, 1.0)),
        (0.5, 0.001, None),
        (0.5, None, None),
    ],
)
def test_what_may_lie_on_either_side_of_the_threshold_is_not_decided(
    threshold: float, ece: float | None, band: tuple[float, float] | None
) -> None:
    assert make_bundle.undetermined(threshold, ece) == band

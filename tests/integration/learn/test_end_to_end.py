"""Training: what is planted is learned, runs repeat, a killed run resumes bit for bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import densenet121, inception_v3

from msnode.classify import build
from msnode.errors import ConfigError
from msnode.learn import Plan, crossval, evaluate, open_cohort, plan, train
from msnode.learn.data import index_csv
from msnode.learn.evaluate.figures_of_merit import auc
from msnode.learn.train import end_to_end, frozen
from msnode.learn.train.cohort import Cohort

Tiles = Callable[..., Path]
QUICK = plan("shallow-cnn", lr=3e-3, epochs=12, batch=16, patience=0, sensitivity=0.9)


class Killed(Exception):
    """Stands for a kill between two epochs."""


def weights(file: Path) -> dict[str, torch.Tensor]:
    return load_file(file)


def fitted(cohort: Cohort, folder: Path, stop: int | None = None) -> dict[str, torch.Tensor]:
    def progress(_: str, done: int, __: int) -> None:
        if done == stop:
            raise Killed

    folder.mkdir(exist_ok=True)
    task = cohort.task(cohort.splits("holdout")[0])
    end_to_end.fit(task, replace(QUICK, epochs=4), folder, progress)
    return weights(folder / "best.safetensors")


def test_a_run_repeats_and_resumes_bit_for_bit(tiles: Tiles, tmp_path: Path) -> None:
    cohort = open_cohort(tiles(persons=4, each=4), QUICK)
    first = fitted(cohort, tmp_path / "first")
    second = fitted(cohort, tmp_path / "second")
    with pytest.raises(Killed):
        fitted(cohort, tmp_path / "killed", stop=2)
    resumed = fitted(cohort, tmp_path / "killed")
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        assert torch.equal(value, resumed[name]), name
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("first", "killed")]
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    "how",
    [QUICK, plan("svm"), plan("decision-tree")],
    ids=["shallow_cnn", "svm", "decision_tree"],
)
def test_a_planted_signal_is_learned(tiles: Tiles, tmp_path: Path, how: Plan) -> None:
    outcome = train(tiles(persons=10), tmp_path / "run", how)
    assert outcome.slices["auc"].value > 0.9
    assert (outcome.folder / "curves.png").stat().st_size > 10_000
    assert (outcome.folder / "metrics.json").exists()


@pytest.mark.long
@pytest.mark.parametrize("architecture", ["swin", "densenet", "inception"])
def test_deep_networks_learn_a_planted_signal(
    tiles: Tiles, tmp_path: Path, architecture: str
) -> None:
    how = Plan(architecture=architecture, lr=1e-3, epochs=5, batch=8, patience=0, augment=False)
    cohort = open_cohort(tiles(persons=4, each=2, spot=0.9), how)
    task = cohort.task(cohort.splits("holdout")[0])
    model = end_to_end.fit(task, how, tmp_path, lambda *_: None)
    everyone = np.arange(len(cohort.labels))
    assert auc(cohort.labels, end_to_end.predict(model, task, everyone)) > 0.8


def test_a_bundle_is_written_and_measures_the_same(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=8)
    outcome = train(index, tmp_path / "run", QUICK)
    again = evaluate(outcome.folder / "bundle", index, tmp_path / "external", QUICK)
    assert again.slices["auc"].value > 0.9
    assert "Research use only" in (outcome.folder / "bundle" / "CARD.md").read_text()


def test_finished_folds_are_not_trained_again(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=4, each=3)
    quick = replace(QUICK, epochs=2)
    first = crossval(index, tmp_path / "run", quick, count=3)
    trained: list[str] = []
    second = crossval(
        index, tmp_path / "run", quick, count=3, progress=lambda what, *_: trained.append(what)
    )
    assert "training" not in trained
    assert first.slices == second.slices
    assert set(first.folds) == {"fold 1", "fold 2", "fold 3"}


def test_a_run_directory_holds_one_configuration(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=4, each=2)
    train(index, tmp_path / "run", plan("svm"))
    with pytest.raises(ConfigError, match="another configuration"):
        train(index, tmp_path / "run", plan("decision-tree"))


def test_one_class_is_refused(tiles: Tiles) -> None:
    cohort = open_cohort(tiles(persons=4, each=2), QUICK)
    task = cohort.task(cohort.splits("holdout")[0])
    same = replace(task, labels=np.zeros_like(task.labels))
    with pytest.raises(ConfigError, match="all of one class"):
        end_to_end.fit(same, QUICK, Path("unused"), lambda *_: None)


def test_a_naive_model_that_comes_close_is_said(tiles: Tiles, tmp_path: Path) -> None:
    def brighter(label: str, image: np.ndarray) -> np.ndarray:
        image[:4] = 0.9 if label == "ms" else 0.1
        return image

    index = tiles(persons=8, spot=0.0, extra=brighter)
    how = replace(QUICK, epochs=2)
    outcome = train(index, tmp_path / "run", how)
    assert outcome.naive["auc"].value > 0.95
    assert any(w.endswith("it may have learned no more than that") for w in outcome.warnings)
    rows = [
        replace(row, scanner="one" if row.label == "ms" else "other")
        for row in index_csv.read(index)
    ]
    index_csv.write(index, rows)
    outcome = train(index, tmp_path / "scanners", how)
    assert any(w.endswith("it may have learned the scanner") for w in outcome.warnings)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"lr": 0}, "lr is 0"),
        ({"lr": "fast"}, "lr is 'fast'; it must be a number"),
        ({"sensitivity": 2}, "sensitivity"),
        ({"epoch": 3}, "epoch: no such"),
        ({"epochs": "3"}, "epochs is '3'; it must be of type int"),
        ({"target": "person"}, "use one of label, lesions"),
    ],
)
def test_wrong_settings_are_named(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan("shallow-cnn", **setting)


def test_numbers_as_yaml_reads_them() -> None:
    assert plan("shallow-cnn", lr="1e-4").lr == 1e-4


def test_pretrained_backbones_keep_their_top_fresh(tmp_path: Path) -> None:
    source = densenet121(weights=None)
    state = {k: v for k, v in source.state_dict().items() if "num_batches" not in k}
    save_file(state, tmp_path / "densenet121.safetensors")
    model = build("densenet")
    before = model.state_dict()["fusion.2.weight"].clone()
    assert end_to_end.pretrain(model, str(tmp_path / "densenet121.safetensors")) == 1
    after = model.state_dict()
    assert torch.equal(after["branch.backbone.conv0.weight"], source.features.conv0.weight)
    assert torch.equal(after["fusion.2.weight"], before)
    with pytest.raises(ConfigError, match="fits no backbone"):
        end_to_end.pretrain(build("inception"), str(tmp_path / "densenet121.safetensors"))
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="no safetensors file"):
        end_to_end.pretrain(model, str(tmp_path / "damaged.safetensors"))


@pytest.mark.long
def test_frozen_backbones_are_run_once_for_all_folds(tiles: Tiles, tmp_path: Path) -> None:
    files = {
        "densenet121": densenet121(weights=None),
        "inception_v3": inception_v3(weights=None, aux_logits=False, init_weights=False),
    }
    for name, source in files.items():
        save_file(source.state_dict(), tmp_path / f"{name}.safetensors")
    names = ",".join(str(tmp_path / f"{name}.safetensors") for name in files)
    how = plan("hybrid-section-5.5", frozen=True, weights=names, examples=24, fusion_steps=30)
    index = tiles(persons=3, each=2)
    told: list[tuple[str, int, int]] = []
    outcome = crossval(
        index, tmp_path / "run", replace(how, batch=4), count=3, progress=lambda *t: told.append(t)
    )
    assert set(outcome.folds) == {"fold 1", "fold 2", "fold 3"}
    assert [t for t in told if t[0] == "maps"] == [("maps", 1, 2), ("maps", 2, 2)]
    cohort = open_cohort(index, how)
    split = cohort.splits("k-fold", 3)[0]
    model = frozen.fit(
        cohort.task(split), replace(how, batch=4), tmp_path / "run" / "fold-1", lambda *_: None
    )
    everyone = np.arange(len(cohort.labels))
    assert auc(cohort.labels, end_to_end.predict(model, cohort.task(split), everyone)) > 0.8
    kept = files["densenet121"].features.conv0.weight
    assert torch.equal(model.state_dict()["densenet.backbone.conv0.weight"], kept)
    with pytest.raises(ConfigError, match="fits one backbone only"):
        frozen.fit(
            cohort.task(split), replace(how, weights=names.split(",")[0]), tmp_path, lambda *_: None
        )
    loud = files["densenet121"].state_dict()
    loud["features.conv0.weight"] = loud["features.conv0.weight"] * 1e9
    save_file(loud, tmp_path / "densenet121.safetensors")
    (tmp_path / "loud").mkdir()
    with pytest.raises(ConfigError, match="beyond float16"):
        frozen.fit(cohort.task(split), how, tmp_path / "loud" / "fold-1", lambda *_: None)


def test_frozen_needs_weights(tiles: Tiles, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weights of both backbones"):
        crossval(tiles(persons=3, each=1), tmp_path / "run", plan(frozen=True), count=3)

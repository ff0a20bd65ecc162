"""A bundle comes back as it was saved, and whatever does not fit is refused with the fix."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from msnode.classify import (
    Calibration,
    Classifier,
    DataSource,
    Manifest,
    StudyRule,
    build,
    load_bundle,
    save_bundle,
)
from msnode.classify.bundle import RESULT
from msnode.classify.hybrid import Hybrid
from msnode.errors import ConfigError
from msnode.records.images import HeadGate, InputContract
from msnode.records.population import Strata
from msnode.records.results import ModelInfo

FULL = Manifest(
    name="shallow",
    version="1.2.0",
    architecture="shallow_cnn",
    input=InputContract(("FLAIR",), 64, 64, 1, "zscore", slab_mm=(20.0, 90.0)),
    arguments={"channels": [8, 8, 8]},
    calibration=Calibration(0.7, -0.2),
    rule=StudyRule(4, 1.5, -1.0),
    threshold=0.42,
    undetermined=(0.4, 0.42),
    sensitivity=0.9,
    specificity=0.8,
    measured_on="3 people",
    notice="Größe: not for commercial use",
    training_data=(DataSource("Tabriz", "MIT", "M. Bashiri"),),
    figures={"auc": 0.81, "folds": [0.8, 0.82]},
)


@pytest.fixture
def model() -> Classifier:
    torch.manual_seed(0)
    return build("shallow_cnn", FULL.arguments).eval()


@pytest.fixture
def folder(tmp_path: Path, model: Classifier) -> Path:
    save_bundle(tmp_path, model, FULL, "# Card")
    return tmp_path


def edit(folder: Path, before: str, after: str) -> None:
    path = folder / "bundle.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_bundle_comes_back(folder: Path, model: Classifier) -> None:
    loaded = load_bundle(folder)
    assert replace(loaded.manifest, digest="") == FULL
    assert loaded.contract == FULL.input
    assert (folder / "CARD.md").read_text() == "# Card"
    assert not loaded.model.training
    images = torch.randn(3, 1, 64, 64)
    torch.testing.assert_close(loaded.model(images), model(images), rtol=1e-2, atol=1e-3)


def test_what_is_said_in_results(folder: Path) -> None:
    found = load_bundle(folder)
    assert found.info == ModelInfo(
        "shallow", "1.2.0", found.manifest.digest, 0.42, (0.4, 0.42), 0.9, 0.8, "3 people",
        "Größe: not for commercial use",
    )  # fmt: skip
    assert re.fullmatch("[0-9a-f]{64}", found.info.digest)


def test_full_precision_is_exact(tmp_path: Path, model: Classifier) -> None:
    save_bundle(tmp_path, model, FULL, "", half=False)
    loaded = load_bundle(tmp_path).model.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(loaded[name], value)


def test_only_matrices_are_halved(tmp_path: Path, hybrid: Hybrid) -> None:
    manifest = Manifest("hybrid", "0", "hybrid", hybrid.contract)
    save_bundle(tmp_path, hybrid, manifest, "")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert [f.name for f in files] == [f"weights-0000{i}-of-00002.safetensors" for i in (1, 2)]
    assert all(f.stat().st_size < 50_000_000 for f in files)
    for file in files:
        for name, value in load_file(file).items():
            assert (value.dtype == torch.float16) == (value.ndim > 1), name
    loaded = load_bundle(tmp_path).model
    assert loaded.state_dict().keys() == hybrid.state_dict().keys()
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_saving_again_leaves_no_old_weights(tmp_path: Path, model: Classifier) -> None:
    (tmp_path / "weights-00002-of-00002.safetensors").write_bytes(b"old")
    save_bundle(tmp_path, model, FULL, "")
    load_bundle(tmp_path)


def test_the_digest_follows_weights_and_settings(tmp_path: Path, model: Classifier) -> None:
    def digest(manifest: Manifest) -> str:
        return save_bundle(tmp_path, model, manifest, "").digest

    first = digest(FULL)
    assert digest(replace(FULL, figures={}, notice="", version="9")) == first
    assert digest(replace(FULL, strata=Strata(age_years=(18, None)))) == first  # only warns
    assert digest(replace(FULL, threshold=0.43)) != first
    assert digest(replace(FULL, rule=StudyRule(5))) != first
    assert digest(replace(FULL, input=replace(FULL.input, min_tissue=0.1))) != first
    with torch.no_grad():
        next(model.parameters()).add_(0.01)
    assert digest(FULL) != first


def test_a_bundle_from_before_a_setting_existed_stays_valid(
    tmp_path: Path, model: Classifier
) -> None:
    save_bundle(tmp_path, model, FULL, "")
    written = yaml.safe_load((tmp_path / "bundle.yaml").read_text())
    del written["input"]["gate"]
    settings = json.dumps({name: written[name] for name in RESULT}, sort_keys=True)
    weights = next(tmp_path.glob("*.safetensors")).read_bytes()
    whole = settings.encode() + hashlib.sha256(weights).digest()
    written["digest"] = hashlib.sha256(whole).hexdigest()
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump(written))
    assert load_bundle(tmp_path).contract.gate == HeadGate()


def spoil_weights(folder: Path) -> None:
    path = next(folder.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights changed": (spoil_weights, "digest .* train again"),
    "threshold changed": (lambda f: edit(f, "threshold: 0.42", "threshold: 0.2"), "digest"),
    "no manifest": (lambda f: (f / "bundle.yaml").unlink(), "set classify.bundle to a folder"),
    "no YAML": (lambda f: edit(f, "name: shallow", "name: [shallow"), "cannot be read"),
    "empty": (lambda f: (f / "bundle.yaml").write_text(""), "bundle.yaml has errors"),
    "unknown key": (lambda f: edit(f, "figures:", "figurs:"), "figurs"),
    "no number": (lambda f: edit(f, "threshold: 0.42", "threshold: high"), "threshold"),
    "negative slope": (lambda f: edit(f, "slope: 0.7", "slope: -0.7"), "slope is -0.7"),
    "limits in no order": (
        lambda f: edit(f, "usual_low: 128", "usual_low: 12"),
        "a limit must have low <= usual_low",
    ),
    "other saliency": (lambda f: edit(f, "saliency: grad-cam", "saliency: lime"), "saliency"),
    "no weights": (lambda f: next(f.glob("*.safetensors")).unlink(), "0 of 1 weight files"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_bundle_is_refused(folder: Path, how: str) -> None:
    spoil, message = SPOILED[how]
    spoil(folder)
    with pytest.raises(ConfigError, match=message) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value), "the folder is named"


def test_a_missing_part_is_refused(folder: Path) -> None:
    path = next(folder.glob("*.safetensors"))
    path.rename(folder / "weights-00001-of-00003.safetensors")
    with pytest.raises(ConfigError, match=r"1 of 3 weight files are there; copy all"):
        load_bundle(folder)


MISMATCHED = {
    "architecture": (replace(FULL, architecture="deep"), "architecture 'deep' is unknown"),
    "size": (replace(FULL, input=InputContract(("FLAIR",), 224, 64, 1, "zscore")), "takes 64"),
    "normalisation": (replace(FULL, input=InputContract(("FLAIR",), 64, 64, 1)), "takes 'zscore'"),
    "weights": (replace(FULL, arguments={"channels": [8, 8, 16]}), "weights do not fit"),
    "classes": (replace(FULL, classes=("MS pattern", "no MS pattern")), "this version serves"),
    "locations": (replace(FULL, saliency="locations"), "has no location head; use 'grad-cam'"),
}


@pytest.mark.parametrize("what", MISMATCHED)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, model: Classifier, what: str
) -> None:
    manifest, message = MISMATCHED[what]
    save_bundle(tmp_path, model, manifest, "")
    with pytest.raises(ConfigError, match=message):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": -5.0}, "threshold is -5"),
        ({"undetermined": (0.9, 0.1)}, r"undetermined is \[0.9, 0.1\]"),
        ({"rule": StudyRule(3, float("inf"), 0.0)}, "rule.slope is inf"),
        ({"specificity": 7.0}, "specificity is 7"),
    ],
)
def test_a_bundle_that_could_decide_nothing_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Also where its digest is right, as its makers wrote it."""
    model = build("shallow_cnn")
    manifest = Manifest("small", "0", "shallow_cnn", model.contract, **changes)
    save_bundle(tmp_path, model, manifest, "# Small")
    with pytest.raises(ConfigError, match=message):
        load_bundle(tmp_path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = build("shallow_cnn")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    save_bundle(tmp_path, model, Manifest("small", "0", "shallow_cnn", model.contract), "# Small")
    with pytest.raises(ConfigError, match="holds no numbers"):
        load_bundle(tmp_path)

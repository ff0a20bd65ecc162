"""What each ingredient adds: the recipe without it, measured on the same persons."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.learn import ablate
from msnode.learn.data import index_csv

Discs = Callable[..., Path]
QUICK = {"architecture": "densenet", "epochs": 1, "batch": 4, "examples": 16, "fusion_steps": 3}


@pytest.fixture
def discs(tmp_path: Path) -> Discs:
    """An index of grey discs, every second one with a bright spot and its mask."""

    def make(name: str, roles: dict[str, str]) -> Path:
        rng, rows = np.random.default_rng(0), []
        y, x = np.mgrid[:96, :96] - 48
        for person, role in roles.items():
            for number in range(2):
                lesion = (np.hypot(x - 9, y) < 4) & (number == 1)
                grey = np.where(np.hypot(x, y) < 40, 110, 0) + 80 * lesion
                path = tmp_path / f"{person}-{number}.png"
                noisy = np.clip(grey + rng.normal(0, 3, grey.shape), 0, 255)
                Image.fromarray(noisy.astype(np.uint8)).save(path)
                mask = path.with_suffix(".mask.png")
                Image.fromarray(lesion.astype(np.uint8) * 255).save(mask)
                rows.append(index_csv.Row(path, person, "ms", lesions=mask, role=role))
        index_csv.write(tmp_path / name, rows)
        return tmp_path / name

    return make


@pytest.mark.long
def test_every_variant_is_measured_on_the_same_persons(discs: Discs, tmp_path: Path) -> None:
    train = discs("train.csv", {"p1": "", "p2": "", "drawn": "train"})
    test, out = discs("test.csv", {"p3": "", "p4": ""}), tmp_path / "out"
    words = ["ablate", str(train), "--test", str(test), "--out", str(out)]
    settings = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
    chosen = [part for name in ("recipe", "no-mixup") for part in ("--only", name)]
    done = CliRunner().invoke(main, [*words, *settings, *chosen])
    assert done.exit_code == 0, done.output
    extractors = [
        out / name / "train/fold-1/densenet.safetensors" for name in ("recipe", "no-mixup")
    ]
    assert extractors[0].read_bytes() == extractors[1].read_bytes()  # mix-up is of the fusion
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")}
    text = ablate(train, test, out, ["recipe", "with-synthetic"], "shipped", QUICK, lambda *_: None)
    after = {file: file.stat().st_mtime_ns for file in before}
    assert before == after  # what is finished is not repeated
    assert text == (out / "ablation.md").read_text()
    names = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines()[2:]]
    assert names == ["recipe", "no-mixup", "with-synthetic"]
    assert len(index_csv.read(out / "recipe/own.csv")) == 4
    assert len(index_csv.read(out / "with-synthetic/own-train.csv")) == 6


def test_what_would_measure_nothing_is_refused(discs: Discs, tmp_path: Path) -> None:
    train, test = discs("train.csv", {"p1": ""}), discs("test.csv", {"p2": ""})

    def run(test: Path, *names: str) -> str:
        return ablate(train, test, tmp_path / "out", names, "shipped", QUICK, lambda *_: None)

    with pytest.raises(ConfigError, match="no-lstm: no such variant; use one of recipe"):
        run(test, "no-lstm")
    with pytest.raises(ConfigError, match="p1: in both indexes"):
        run(train)
    with pytest.raises(ConfigError, match="synthetic-alone: needs rows of the role train"):
        run(test, "synthetic-alone")
    drawn = discs("drawn.csv", {"p3": "train"})
    with pytest.raises(ConfigError, match="the recipe needs rows without a role"):
        ablate(drawn, test, tmp_path / "out", [], "shipped", QUICK, lambda *_: None)

"""Results of finished folds on disk, so that a killed run need not repeat them."""

import json
from dataclasses import replace
from pathlib import Path

import cattrs
import numpy as np

from msnode.classify import Classifier
from msnode.errors import ConfigError
from msnode.learn.evaluate.operating_point import Judgement
from msnode.learn.evaluate.paired import Scored, together
from msnode.learn.runs import directory
from msnode.learn.runs.fold import Tested


def write(folder: Path, tested: Tested) -> None:
    """Keep a fold's results, without its model, in ``folder/tested.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    directory.write_json(folder / "tested.json", cattrs.unstructure(replace(tested, model=None)))


def read(folder: Path) -> Tested | None:
    """A finished fold, without its model; None where it is not finished."""
    file = folder / "tested.json"
    if not file.exists():
        return None
    return _converter().structure(json.loads(file.read_text(encoding="utf-8")), Tested)


def raw_twins(run: Path) -> Scored:
    """Logits, as the networks gave them, of every person that a finished run tested.

    Args:
        run: directory of ``crossval``, ``train`` or ``evaluate``, of a model of lesions.

    Raises:
        ConfigError: the run has not finished, or compared no slices with lesion-filled twins.
    """
    folds = [read(file.parent) for file in sorted(run.glob("fold-*/tested.json"))]
    pairs = [_plain(t.twins, t.judgement) for t in folds if t is not None and t.twins is not None]
    if not pairs:
        raise ConfigError(
            f"{run}: holds no finished fold with lesion-filled twins; give the directory of a"
            " crossval, train or evaluate run with target=lesions"
        )
    return together(pairs)


def _plain(twins: Scored, judgement: Judgement) -> Scored:
    """A fold's twins without its calibration."""
    scale = judgement.calibration
    return twins.scaled(1 / scale.slope, -scale.bias / scale.slope)


def _converter() -> cattrs.Converter:
    """Turns JSON's lists back into arrays; a fold's model is not kept."""
    converter = cattrs.Converter()
    converter.register_structure_hook_func(
        lambda kind: getattr(kind, "__origin__", None) is np.ndarray,
        lambda value, _: np.array(value),
    )
    converter.register_structure_hook(Classifier | None, lambda _, __: None)
    return converter

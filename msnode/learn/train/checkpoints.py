"""Checkpoints of a training run as safetensors: weights, their average, optimizer, step."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from msnode.errors import Refused
from msnode.learn.data import tensor_file


def save(
    path: Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    step: int,
    notes: dict[str, str] | None = None,
) -> None:
    """Write everything a run needs to go on; the file appears whole or not at all.

    Args:
        path: the safetensors file.
        modules: by name, e.g. the model and its moving average.
        optimizer: whose state belongs to the parameters of the first module.
        step: steps done.
        notes: small strings to keep beside, e.g. the configuration's digest.
    """
    tensors = {f"{name}/{key}": value for name, key, value in _state(modules)}
    groups = optimizer.state_dict()
    for index, state in groups["state"].items():
        for key, value in state.items():
            tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(value)
    meta = {"step": str(step), "groups": json.dumps(groups["param_groups"]), **(notes or {})}
    tensor_file.write(path, tensors, meta)


def _state(modules: dict[str, nn.Module]) -> Iterator[tuple[str, str, Tensor]]:
    """(module, key, tensor) of every module."""
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            yield name, key, value


def load(
    path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> tuple[int, dict[str, str]]:
    """Resume a run where ``save`` left it.

    Returns:
        The steps done, and the notes.

    Raises:
        Refused: the file is damaged or belongs to another model.
    """
    try:
        with safe_open(path, "pt") as file:
            meta = dict(file.metadata())
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        for name, module in modules.items():
            module.load_state_dict(_under(tensors, name))
        _restore(optimizer, _under(tensors, "optimizer"), json.loads(meta.pop("groups")))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise Refused(f"{path}: no checkpoint of this model; delete it to start anew") from error
    return int(meta.pop("step")), meta


def averaged(path: Path) -> dict[str, Tensor]:
    """The moving average of the weights in a run's checkpoint, to start another run from.

    Raises:
        Refused: the file is missing, damaged or no checkpoint.
    """
    try:
        tensors = _under(load_file(path), "average")
    except (OSError, SafetensorError) as error:
        raise Refused(f"{path}: no checkpoint to start from ({error})") from error
    if not tensors:
        raise Refused(f"{path}: no checkpoint to start from: it holds no averaged weights")
    return tensors


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose key begins with ``name/``, with that prefix removed."""
    return {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}


def _restore(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], groups: list[dict[str, object]]
) -> None:
    """Put an optimizer's state back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})

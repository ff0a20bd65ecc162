"""What is different between two bundles: `msnode bundle diff`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from msnode.cli.any_bundle import KEYS, AnyBundle
from msnode.records.learned_persons import LearnedPersons

HIDDEN = ("digest", "persons", "translations")
"""Told otherwise, or only repeated in other languages."""
MOST = 12
"""Tensors that are shown, those that changed most first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line.

    Attributes:
        what: dotted key of bundle.yaml, or a tensor's name.
        first: in the first bundle; "-" where it has no such thing.
        second: likewise.
        bears: whether results depend on it.
    """

    what: str
    first: str
    second: str
    bears: bool = False


def settings(first: AnyBundle, second: AnyBundle) -> Iterator[Difference]:
    """Values of bundle.yaml that differ: input, rule, thresholds first, figures after them."""
    bearing = set(KEYS[first.kind]) | set(KEYS[second.kind])
    one, other = (dict(_flat(bundle.written)) for bundle in (first, second))
    names = dict.fromkeys([*one, *other])
    found = [
        Difference(name, one.get(name, "-"), other.get(name, "-"), name.split(".")[0] in bearing)
        for name in names
        if one.get(name) != other.get(name)
    ]
    yield from sorted(found, key=lambda line: not line.bears)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values as text."""
    for key, value in values.items():
        if not above and key in HIDDEN:
            continue
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", _text(value)


def _text(value: Any) -> str:
    """Numbers to six digits, as the seventh is rounding."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(_text(one) for one in value)}]"
    return str(value)


def persons(first: AnyBundle, second: AnyBundle, index: Path | None) -> Iterator[Difference]:
    """How many persons each learned from; of an index, each person that they know differently.

    Args:
        first: a bundle.
        second: another one. Their hashes have salts of their own, so only names can be compared.
        index: CSV whose persons are looked up in both.
    """
    yield Difference("persons", _count(first.persons), _count(second.persons))
    if index is None:
        return
    from msnode.learn.data import index_csv  # scikit-learn, only for this

    names = sorted({row.person for row in index_csv.read(index)})
    for name in names:
        one, other = (b.persons.acquaintance(name) if b.persons else "-" for b in (first, second))
        if one != other:
            yield Difference(f"persons.{name}", one, other)


def _count(known: LearnedPersons | None) -> str:
    if known is None:
        return "not known"
    more = ", and others" if known.others else ""
    return f"{len(known.learned)} learned, {len(known.calibrated)} calibrated{more}"


@dataclass(frozen=True, slots=True)
class Weights:
    """How weights differ.

    Attributes:
        lines: tensors that one has alone, or in another shape, and those that changed most.
        changed: tensors of the same shape with other values.
        same: tensors that are equal.
        largest: change of any number in those.
    """

    lines: tuple[Difference, ...]
    changed: int
    same: int
    largest: float


def weights(first: AnyBundle, second: AnyBundle) -> Weights:
    """Compare every tensor."""
    one, other = first.model.state_dict(), second.model.state_dict()
    lines: list[Difference] = []
    changes: dict[str, float] = {}
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name), other.get(name)
        if a is None or b is None or a.shape != b.shape:
            lines.append(Difference(name, _shape(a), _shape(b), bears=True))
        else:
            changes[name] = float((a.double() - b.double()).abs().max()) if a.numel() else 0.0
    if hidden := len(lines) - MOST if len(lines) > MOST else 0:
        lines = [*lines[:MOST], Difference(f"{hidden} more", "…", "…", bears=True)]
    moved = sorted((n for n, change in changes.items() if change), key=lambda n: -changes[n])
    for name in moved[:MOST]:
        told = f"largest change {changes[name]:.3g}"
        lines.append(Difference(name, _shape(one[name]), told, bears=True))
    largest = changes[moved[0]] if moved else 0.0
    return Weights(tuple(lines), len(moved), len(changes) - len(moved), largest)


def _shape(tensor: torch.Tensor | None) -> str:
    return "-" if tensor is None else "x".join(map(str, tensor.shape)) or "number"

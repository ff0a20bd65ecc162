"""What the training data measured: ``reference.json`` in a bundle's folder.

It is no part of the bundle's digest: it says what the weights were made of, and changes no result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msnode.errors import ConfigError
from msnode.store.files import decode, encode, replacing

FILE = "reference.json"
QUANTILES = 101
LEAST = 5
"""Fewer volumes say nothing."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Of the input alone: outputs on what was learned from are better than any others.

    Attributes:
        volumes: that were measured.
        persons: whose they are.
        values: quantiles in even steps, by name, lowest first.
    """

    volumes: int
    persons: int
    values: dict[str, tuple[float, ...]]


def reference_of(measured: Sequence[Mapping[str, float]], persons: int) -> Reference:
    """What volumes measured.

    Raises:
        ConfigError: they are too few.
    """
    if len(measured) < LEAST:
        raise ConfigError(f"{len(measured)} volumes could be measured; {LEAST} are needed")
    steps = np.linspace(0, 1, min(len(measured), QUANTILES))
    names = sorted(set.intersection(*(set(one) for one in measured)))
    values = {
        name: tuple(np.quantile([one[name] for one in measured], steps).round(6).tolist())
        for name in names
    }
    return Reference(len(measured), persons, values)


def write_reference(reference: Reference, folder: Path) -> Path:
    """Write it into a bundle's folder, whole or not at all."""
    path = folder / FILE
    with replacing(path) as file:
        file.write(encode(reference))
    return path


def read_reference(folder: Path) -> Reference | None:
    """Of a bundle; None where it has none.

    Raises:
        ConfigError: what is there cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return decode(path.read_bytes(), Reference)
    except Exception as error:  # whatever it holds
        raise ConfigError(
            f"{path} is no reference ({type(error).__name__}): write it again with "
            "msnode drift reference, or delete it"
        ) from error

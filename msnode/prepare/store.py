"""Prepared slices on disk: steps of the workflow hand on paths, never arrays."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cattrs
import numpy as np
import safetensors.numpy

from msnode.files import replacing
from msnode.records import Prepared, SeriesChoice

PIXELS = "prepared.safetensors"
RECORD = "prepared.json"
SERIES = "series.json"


def _is_array(kind: Any) -> bool:
    """Whether an annotation is NDArray[...]."""
    return getattr(kind, "__origin__", None) is np.ndarray


_converter = cattrs.Converter()
_converter.register_unstructure_hook(Path, str)
_converter.register_structure_hook(Path, lambda raw, _: Path(raw))
_converter.register_unstructure_hook_func(_is_array, np.ndarray.tolist)
_converter.register_structure_hook_func(_is_array, lambda raw, _: np.array(raw, np.float64))


def save(prepared: Prepared, folder: Path) -> None:
    """Write ``prepared.safetensors`` (the pixels) and ``prepared.json`` (all else), durably.

    Each file is complete or absent, and the second is there only when the first is.
    """
    pixels = np.ascontiguousarray(prepared.slices.pixels)
    _write(folder / PIXELS, safetensors.numpy.save({"pixels": pixels}))
    rest = replace(prepared, slices=replace(prepared.slices, pixels=np.empty(0, np.float32)))
    _write(folder / RECORD, _encoded(rest))


def load(folder: Path) -> Prepared:
    """Read what `save` wrote.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    prepared = _converter.structure(json.loads((folder / RECORD).read_bytes()), Prepared)
    pixels = safetensors.numpy.load_file(folder / PIXELS)["pixels"]
    return replace(prepared, slices=replace(prepared.slices, pixels=pixels))


def save_series(series: Sequence[SeriesChoice], folder: Path) -> None:
    """Write ``series.json``, durably: the choice outlives a study that cannot be analysed."""
    _write(folder / SERIES, _encoded(list(series)))


def load_series(folder: Path) -> tuple[SeriesChoice, ...]:
    """Read what `save_series` wrote.

    Raises:
        FileNotFoundError: it is not there.
    """
    raw = json.loads((folder / SERIES).read_bytes())
    return _converter.structure(raw, tuple[SeriesChoice, ...])


def _encoded(record: Any) -> bytes:
    return json.dumps(_converter.unstructure(record), ensure_ascii=False).encode()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)

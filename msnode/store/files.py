"""Files that are there whole or not at all, also after a power loss; records as JSON in them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import cattrs
import numpy as np

from msnode.records.sentences import Sentence, Text, from_json, to_json

Record = TypeVar("Record")


def _is_array(kind: Any) -> bool:
    """Whether an annotation is NDArray[...]."""
    return getattr(kind, "__origin__", None) is np.ndarray


def _is_text(kind: Any) -> bool:
    """Whether an annotation is Text, or Text | None."""
    return kind in (Text, Text | None)


_converter = cattrs.Converter()
_converter.register_unstructure_hook(Path, str)
_converter.register_structure_hook(Path, lambda raw, _: Path(raw))
_converter.register_unstructure_hook(date, date.isoformat)
_converter.register_structure_hook(date, lambda raw, _: date.fromisoformat(raw))
_converter.register_unstructure_hook_func(_is_array, np.ndarray.tolist)
_converter.register_structure_hook_func(_is_array, lambda raw, _: np.array(raw, np.float64))
_converter.register_unstructure_hook(Sentence, to_json)
_converter.register_unstructure_hook_func(lambda kind: kind == Text, to_json)
_converter.register_structure_hook_func(_is_text, lambda raw, _: from_json(raw))


def encode(record: Any) -> bytes:
    """A record, or a list of records, as JSON; small arrays (affines) go along as lists."""
    return json.dumps(_converter.unstructure(record), ensure_ascii=False).encode()


def decode(content: bytes, kind: type[Record]) -> Record:
    """Read what `encode` wrote; arrays become float64."""
    return structure(json.loads(content), kind)


def structure(raw: Any, kind: type[Record]) -> Record:
    """A record from plain JSON values."""
    return _converter.structure(raw, kind)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, flush it, rename it into place, flush the folder.

    The name beside it is always the same, so that a crash leaves one ``.part`` at most. One writer
    at a time.

    Yields:
        The open file. Where the ``with`` block fails, whatever was at ``path`` stays as it was.

    Raises:
        OSError: the disk is full, or the folder is missing or not writable.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    fsync(path.parent)


def fsync(path: Path | str) -> None:
    """Make a file's content, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Reading DICOM files and their attributes, however broken they are."""

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence

from msnode.errors import NotAnalysable
from msnode.records.sentences import Sentence

# Values outside their VR's repertoire are no reason to refuse a study, and pydicom's warnings
# about them would carry patient data into the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

#: Twice what `frames.MAX_VOXELS` take with 32 bits each.
MAX_BYTES = 2**30

#: Where Enhanced images keep what differs between frames (PS3.3 C.7.6.16).
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def read(path: Path, *keywords: str) -> Dataset:
    """Read a DICOM Part 10 file, or only some attributes of it, which takes a third of the time.

    A file without the 128 bytes of preamble before "DICM" is read where it is plain that it is
    DICOM all the same: its dataset names its SOP Class.

    Raises:
        NotAnalysable: it is none, its encoding is broken or not named, or it is absurdly large.
    """
    tags: list[Any] = [*keywords]
    try:
        fits = path.stat().st_size <= MAX_BYTES
        dataset = _read(path, tags) if fits else None
    except NotAnalysable:
        raise
    except Exception as error:  # broken bytes make pydicom raise all kinds
        raise NotAnalysable(Sentence("unreadable", error=type(error).__name__)) from error
    if dataset is None:
        raise NotAnalysable(Sentence("file_too_large", gib=MAX_BYTES >> 30))
    if not text(value(dataset.file_meta, "TransferSyntaxUID")):
        raise NotAnalysable(Sentence("no_transfer_syntax"))
    return dataset


def _read(path: Path, tags: list[Any]) -> Dataset:
    try:
        return pydicom.dcmread(path, specific_tags=tags or None)
    except InvalidDicomError as error:
        wanted = [*tags, "SOPClassUID"] if tags else None
        dataset = pydicom.dcmread(path, specific_tags=wanted, force=True)
        if not text(value(dataset, "SOPClassUID")):
            raise NotAnalysable(Sentence("no_preamble")) from error
        return dataset


def value(dataset: Dataset, keyword: str) -> Any:
    """An attribute's value; None where it is absent, empty or cannot be read.

    Who needs the value says so, naming the attribute; who does not need it goes on.
    """
    try:
        return dataset.get(keyword)
    except Exception:  # noqa: BLE001 - conversion of a broken value raises all kinds
        return None


def text(raw: Any) -> str:
    """A value as text; "" where it is absent."""
    return "" if raw is None else str(raw).strip(" \0")


def texts(raw: Any) -> tuple[str, ...]:
    """A multi-valued code string, in upper case."""
    values = raw if _several(raw) else () if raw is None else (raw,)
    return tuple(text(item).upper() for item in values)


def number(raw: Any) -> float | None:
    """The first value as a finite number, else None."""
    found = numbers(raw)
    return found[0] if found else None


def numbers(raw: Any) -> tuple[float, ...]:
    """All values as finite numbers; () where one is none."""
    values = raw if _several(raw) else () if raw in (None, "") else (raw,)
    try:
        found = tuple(float(item) for item in values)
    except (TypeError, ValueError):
        return ()
    return found if all(math.isfinite(item) for item in found) else ()


def _several(raw: Any) -> bool:
    """Whether a value is a list of values."""
    return hasattr(raw, "__iter__") and not isinstance(raw, str | bytes)


class Finder:
    """Looks attributes up in several data sets, the first one that has it wins."""

    def __init__(self, places: list[Dataset]) -> None:
        self._places = places

    def __call__(self, *keywords: str) -> Any:
        """The value of the first of these attributes that is there; None where none is."""
        found = (value(place, keyword) for place in self._places for keyword in keywords)
        return next((raw for raw in found if raw not in (None, "")), None)

    def private(self, group: int, creator: str, element: int) -> Any:
        """A private element, None where it is absent or another's."""
        for place in self._places:
            with suppress(KeyError, ValueError, TypeError, AttributeError):
                return place.private_block(group, creator)[element].value
        return None


def places(dataset: Dataset) -> Iterator[Dataset]:
    """The data set, then the functional group macros shared and of the first frame (C.7.6.16)."""
    yield dataset
    for keyword in GROUPS:
        yield from macros(items(value(dataset, keyword))[:1])


def items(groups: Any) -> list[Dataset]:
    """The items of a sequence; a malformed file may hold text there."""
    return list(groups) if isinstance(groups, Sequence) else []


def macros(groups: list[Dataset]) -> Iterator[Dataset]:
    """The items of the functional group macros in these groups."""
    for group in groups:
        for element in group:
            if isinstance(element.value, Sequence):
                yield from element.value

"""One index format for every data set: a CSV with a row for each image, volume or series folder.

Columns: ``path``, ``person``, ``label`` (needed), and ``site``, ``scanner``, ``sequence``,
``visit``, ``age``, ``sex``, ``lesions`` (a mask: NIfTI on the patient's coordinates for a volume,
an image of the same size for an image), ``ventricles``, ``normal_rim`` and ``brain`` (masks on the
volume's own grid), ``role`` (``train``: only ever learned from). Paths are
relative to the index's folder. A path is a NIfTI file, a folder of one DICOM study, or an image
(PNG, JPEG, TIFF).
"""

import csv
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from msnode.errors import ConfigError

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
NEEDED = ("path", "person", "label")
ROLES = ("", "train")
MASKS = ("lesions", "ventricles", "normal_rim", "brain")
"""Columns that hold the path of a mask."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the index.

    Attributes:
        path: of the image, absolute.
        person: whose it is; pseudonymous.
        label: class name, e.g. ``ms`` or ``control``.
        visit: 1-based.
        age: years, None where unknown.
        lesions: mask, absolute; None where there is none.
        ventricles: likewise.
        normal_rim: likewise, of the normal bright rim of the ventricles that is no lesion.
        brain: likewise.
        role: ``train`` for what is never validated or tested on, such as synthetic scans.
        number: line of the CSV, for messages.
    """

    path: Path
    person: str
    label: str
    site: str = ""
    scanner: str = ""
    sequence: str = ""
    visit: str = ""
    age: float | None = None
    sex: str = ""
    lesions: Path | None = None
    role: str = ""
    ventricles: Path | None = None
    normal_rim: Path | None = None
    brain: Path | None = None
    number: int = 0


def read(index: Path) -> list[Row]:
    """Read an index.

    Raises:
        ConfigError: rows are bad; names all of them, by line, with what to change.
    """
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            records = [(reader.line_num, record) for record in reader]
            columns = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{index}: cannot be read as CSV: {error}") from error
    missing = [name for name in NEEDED if name not in columns]
    if missing or not records:
        what = f"has no column {', '.join(missing)}" if missing else "has no rows"
        hint = " (separated by commas, not semicolons)" if ";" in "".join(columns) else ""
        raise ConfigError(f"{index}: the index {what}; it needs {', '.join(NEEDED)}{hint}")
    problems = [text for line, record in records for text in _problems(index, line, record)]
    if problems:
        raise ConfigError(f"{index}: the index has errors:\n  " + "\n  ".join(problems))
    return [_row(index.parent.resolve(), line, record) for line, record in records]


def _problems(index: Path, line: int, record: dict[str, str]) -> Iterator[str]:
    """What is wrong with one row."""
    if None in record:
        yield f"line {line}: more values than columns; quote values that hold a comma"
    for name in NEEDED:
        if not (record.get(name) or "").strip():
            yield f"line {line}: column {name} is empty; give it a value"
    for name in ("path", *MASKS):
        value = (record.get(name) or "").strip()
        if value and (why := _unusable(index.parent / value)):
            yield f"line {line}: column {name}: {value[:200]!r} {why}"
    age = (record.get("age") or "").strip()
    if age and not re.fullmatch(r"\d{1,3}(\.\d+)?", age):
        yield f"line {line}: column age: {age!r} is no number of years"
    role = (record.get("role") or "").strip()
    if role not in ROLES:
        yield f"line {line}: column role: {role!r} is unknown; write train, or leave it empty"


def _unusable(path: Path) -> str:
    """Why a path cannot be read, "" if it can: a pipe or device would be waited for for ever."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except (OSError, ValueError) as error:
        return f"is no usable path ({getattr(error, 'strerror', error)})"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "is neither a file nor a folder"


def _row(base: Path, line: int, record: dict[str, str]) -> Row:
    """A checked record as a Row."""
    known = {f.name for f in fields(Row)} - {"number"}
    values: dict[str, Any] = {
        k: v.strip() for k, v in record.items() if k in known and v and v.strip()
    }
    for name in values.keys() & {"path", *MASKS}:
        values[name] = base / values[name]
    if "age" in values:
        values["age"] = float(values["age"])
    return Row(number=line, **values)


def of_several_labels(rows: Sequence[Row]) -> list[str]:
    """The persons who are in more than one class."""
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row.person, set()).add(row.label)
    return [person for person, found in labels.items() if len(found) > 1]


def write(index: Path, rows: Sequence[Row]) -> None:
    """Write an index; paths below its folder become relative."""
    names = [f.name for f in fields(Row) if f.name != "number"]
    index.parent.mkdir(parents=True, exist_ok=True)
    with index.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            values = (getattr(row, name) for name in names)
            writer.writerow([_relative(value, index.parent.resolve()) for value in values])


def _relative(value: object, base: Path) -> str:
    """A cell of the index."""
    if isinstance(value, Path):
        inside = value.is_relative_to(base)
        return str(value.relative_to(base) if inside else value)
    return "" if value is None else str(value)

"""A CSV that people made: a line is a row, and a bad one costs no other."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from msnode.errors import Refused

LONGEST_LINE = 65_536
"""Characters: what is longer is no CSV of people, and shall not fill the memory."""
Cells = dict[str, str]
"""By column; those that lack are empty, and there are no spaces around."""


def table_lines(
    path: Path, columns: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[int, Cells | str]]:
    """The lines of a file, one after the other, from 1; blank ones are none.

    Args:
        path: UTF-8, with or without a byte order mark; commas or semicolons between the cells.
        columns: that there may be, in any order; their names stand in the first line.
        needed: those of them without which no line says anything.

    Yields:
        Number, and cells, or what is wrong with the line as a whole and the fix.

    Raises:
        Refused: its header lacks a column or has one that nobody knows, or it is no CSV.
        OSError: it cannot be read.
    """
    # a line is a row: a quote that is never closed costs its own line, not the rest of the file
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = _lines(file)
        header, separator = _header(next(lines, (1, ""))[1], columns, needed)
        for number, line in lines:
            cells = _cells(line, header, separator)
            if isinstance(cells, str) or any(cells.values()):
                yield number, cells


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Each line with its number."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise Refused(f"line {number} has {LONGEST_LINE} characters or more: this is no CSV")
        yield number, line


def _header(line: str, columns: Sequence[str], needed: Sequence[str]) -> tuple[list[str], str]:
    """Names of the columns, and what stands between cells."""
    separator = ";" if ";" in line else ","
    names = [name.strip().strip('"').casefold() for name in line.split(separator)]
    wrong = [
        *(f"it lacks {name}" for name in needed if name not in names),
        *(f"its column {number} is unknown" for number, name in enumerate(names, 1)
          if name not in columns),
        *(f"{name} stands twice" for name in columns if names.count(name) > 1),
    ]  # fmt: skip
    if wrong:
        known = ", ".join(columns)
        raise Refused(f"the first line must name the columns ({known}): {'; '.join(wrong)}")
    return names, separator


def _cells(line: str, header: list[str], separator: str) -> Cells | str:
    """A line's cells by column."""
    try:
        (cells,) = csv.reader([line.rstrip("\n")], delimiter=separator, strict=True)
    except csv.Error:
        return "its quotes do not match: a row is one line, and a quote in it is doubled"
    if cells and len(cells) != len(header):
        return (
            f"it has {len(cells)} cells, the first line {len(header)}: quote cells "
            "that hold a separator"
        )
    return dict(zip(header, (cell.strip() for cell in cells), strict=False))

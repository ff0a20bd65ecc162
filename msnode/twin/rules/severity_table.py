"""Tables of severity scores, as published: a line a year, a column an EDSS."""

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from msnode.errors import ConfigError

STEPS = (0.0, *(half / 2 for half in range(2, 20)))
"""EDSS 0, 1.0, 1.5, … 9.5: the columns of the published tables."""
MOST = 10.0
"""Of a score: these are ranks, from 0 to 10."""


@dataclass(frozen=True, slots=True)
class SeverityTable:
    """A table.

    Attributes:
        rows: scores in the order of `STEPS`, by the year (of the disease, or of age).
    """

    rows: dict[int, tuple[float, ...]]

    def score(self, years: int, edss: float) -> float | None:
        """The score; beyond the last year that of the last one, None before the first."""
        if years < min(self.rows) or edss not in STEPS:
            return None
        return self.rows[min(years, max(self.rows))][STEPS.index(edss)]


@cache
def load_table(path: Path | None) -> SeverityTable | None:
    """Read a table from CSV: ``years`` and the EDSS steps in the first line, then a line a year.

    Args:
        path: of the file; None where the site has none.

    Raises:
        ConfigError: names the line and the fix.
    """
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {type(error).__name__}; use a CSV") from None
    heading = [one.strip() for one in lines[0]] if lines else []
    if heading[:1] != ["years"] or _numbers(heading[1:]) != STEPS:
        steps = ",".join(f"{one:g}" for one in STEPS)
        raise ConfigError(f"{path}, line 1: the columns have to be years,{steps}")
    rows: dict[int, tuple[float, ...]] = {}
    for number, line in enumerate(lines[1:], 2):
        values = _numbers(line[1:])
        if not line[0].strip().isdecimal() or (rows and int(line[0]) != max(rows) + 1):
            raise ConfigError(f"{path}, line {number}: the years have to go up by one")
        if len(values) != len(STEPS) or not 0 <= values[0] <= values[-1] <= MOST:
            raise ConfigError(f"{path}, line {number}: {len(STEPS)} scores of 0 to 10 are wanted")
        if list(values) != sorted(values):
            raise ConfigError(f"{path}, line {number}: a higher EDSS cannot have a lower score")
        rows[int(line[0])] = values
    if not rows:
        raise ConfigError(f"{path} has no line but the first; give a line a year")
    return SeverityTable(rows)


def _numbers(texts: list[str]) -> tuple[float, ...]:
    """The numbers of a line; () if one is none, so that the line is refused."""
    try:
        found = tuple(float(one) for one in texts)
    except ValueError:
        return ()
    return found if all(map(math.isfinite, found)) else ()

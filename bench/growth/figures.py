"""What a part of the bench found: a table in Markdown, slopes, and a picture with both axes log."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

Curve = Mapping[float, float]
"""What was measured, by size."""


@dataclass(frozen=True)
class Found:
    """What a part found.

    Attributes:
        title: of the table and the picture.
        head: of the columns.
        rows: as they are printed.
        size: what the horizontal axis shows, with its unit.
        curves: median by size, by what was measured, with its unit.
        notes: sentences below the table: goals, slopes, and what was left out.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    size: str
    curves: Mapping[str, Curve]
    notes: Sequence[str] = ()


def slope(curve: Curve) -> float:
    """Of a line through the logarithms (least squares): 1 is linear; NaN where nothing grew."""
    if len(curve) < 2 or min(curve.values()) <= 0:
        return math.nan
    return float(np.polyfit(np.log(list(curve)), np.log(list(curve.values())), 1)[0])


def medians(runs: Mapping[float, Sequence[float]]) -> dict[float, float]:
    """Median by size."""
    return {size: statistics.median(values) for size, values in runs.items()}


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range, as they are printed."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def markdown(found: Found) -> str:
    """The table with its notes."""
    lines = [f"### {found.title}", "", *map(_line, [found.head, ["---"] * len(found.head)])]
    lines += [*map(_line, found.rows), "", *found.notes]
    slopes = {what: slope(curve) for what, curve in found.curves.items()}
    lines += [f"Slope of {what}: {value:.2f}." for what, value in slopes.items()]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plot(found: Found, path: Path) -> None:
    """One picture for each thing that was measured, with a dotted line of slope 1 for the eye."""
    picture = Figure(figsize=(4.2 * len(found.curves), 3.8), layout="constrained")
    picture.suptitle(found.title)
    grid = picture.subplots(1, len(found.curves), squeeze=False)
    for axes, (what, curve) in zip(grid[0], found.curves.items(), strict=True):
        sizes, values = list(curve), list(curve.values())
        axes.loglog(sizes, values, marker="o", color="#1f5f8b")
        linear = [values[0] * size / sizes[0] for size in sizes]
        axes.loglog(sizes, linear, color="#9aa0a6", lw=1, ls=":", label="slope 1")
        axes.legend(frameon=False, fontsize="small")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel=found.size, ylabel=what, title=f"slope {slope(curve):.2f}")
    picture.savefig(path, dpi=120)

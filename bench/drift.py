"""How often drift is told where there is none, and how soon where there is some.

    nice .venv/bin/python bench/drift.py --years 200

Studies are drawn as a node's rows are: eighteen values that go together in part, a share of refused
and of undetermined ones, three scanners, and patients who come again. Each simulated year has a
baseline of its own. Blocks are looked at as the node looks at them (`msnode.drift.look.compared`).
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from msnode.config import Drift
from msnode.drift.look import YEAR_DAYS, alpha_of, compared
from msnode.drift.sample import one_of_each, sample_of
from msnode.drift.state import INPUT, OUTPUT, PARTS, Part, PartState
from msnode.store.study_values import StudyValues

SCANNERS, MIX = ("A", "B", "C"), (0.6, 0.3, 0.1)
NAMES = (*INPUT, *OUTPUT)
COUNTS = {"slices": 20, "lesion_count": 6, "distance_mm": 2}
"""Values that are counts, or one of few: ties."""
AGAIN = 0.2
"""Of the studies, those of a patient who was there before."""


def studies(
    rng: np.random.Generator, number: int, shift: dict[str, float] | None = None
) -> list[StudyValues]:
    """Rows in the order in which they came; a shift is in standard deviations."""
    common = rng.normal(size=(number, 1))
    drawn = 0.6 * common + 0.8 * rng.normal(size=(number, len(NAMES)))
    mix = rng.choice(len(SCANNERS), size=number, p=MIX)
    drawn[:, 0] += 0.5 * (mix == 1)
    rows: list[StudyValues] = []
    refused, undetermined = rng.random(number) < 0.05, rng.random(number) < 0.08
    for k in range(number):
        if rows and rng.random() < AGAIN:  # as that patient's before, but for noise
            before = rows[rng.integers(len(rows))]
            person, told = before.person, {
                name: value + 0.3 * rng.normal() for name, value in before.told.items()
            }  # fmt: skip
        else:
            person, told = (
                f"{rng.integers(2**60):x}",
                dict(zip(NAMES, drawn[k].tolist(), strict=True)),
            )
            for name, sd in (shift or {}).items():
                told[name] += sd
        told = {n: float(round(v * COUNTS[n] / 4)) if n in COUNTS else v for n, v in told.items()}
        outcome = "not_analysed" if refused[k] else "undetermined" if undetermined[k] else "absent"
        values = {} if refused[k] else told
        rows.append(StudyValues(str(k), float(k), SCANNERS[mix[k]], "2D", None, "", values,
                                outcome, "d", person))  # fmt: skip
    return rows


def looked(
    rng: np.random.Generator, settings: Drift, alpha: float, blocks: int, shift: dict[str, float]
) -> Iterator[list[PartState]]:
    """Input and output of each block of a year."""
    first = studies(rng, int(settings.baseline * 1.6))
    base = {part: sample_of(one_of_each(first)[: settings.baseline], part) for part in PARTS}
    later = studies(rng, settings.window * blocks, shift)
    for k in range(blocks):
        block = later[k * settings.window : (k + 1) * settings.window]
        yield [_compared(part, base[part], block, alpha) for part in PARTS]


def _compared(part: Part, base: object, block: list[StudyValues], alpha: float) -> PartState:
    known = PartState(part, 0, 0.0, 0)
    return replace(compared(known, base, block, alpha))  # type: ignore[arg-type]


def false_alarms(settings: Drift, per_day: float, years: int) -> dict[str, float]:
    """Blocks with any alarm in a year without drift."""
    rng = np.random.default_rng(7)
    blocks = max(round(per_day * YEAR_DAYS / settings.window), 1)
    alpha = alpha_of(per_day, settings) / len(PARTS)
    alarms = [
        sum(
            any(part.drifting for part in block)
            for block in looked(rng, settings, alpha, blocks, {})
        )
        for _ in range(years)
    ]
    per_year = [n * per_day * YEAR_DAYS / settings.window / blocks for n in alarms]
    error = float(np.std(per_year) / np.sqrt(years))
    return {"blocks": blocks, "alpha": 2 * alpha, "per_year": float(np.mean(per_year)),
            "error": error, "years_with": float(np.mean([n > 0 for n in alarms]))}  # fmt: skip


def power(
    settings: Drift, per_day: float, sd: float, names: tuple[str, ...], runs: int
) -> list[float]:
    """How often a shift was told after one, two and three blocks."""
    rng = np.random.default_rng(11)
    alpha = alpha_of(per_day, settings) / len(PARTS)
    told = []
    for _ in range(runs):
        blocks = looked(rng, settings, alpha, 3, dict.fromkeys(names, sd))
        told.append([bool(set(names) & set(p.drifting + o.drifting)) for p, o in blocks])
    within = np.logical_or.accumulate(np.array(told), axis=1)
    found: list[float] = within.mean(axis=0).round(3).tolist()
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=100)
    parser.add_argument("--runs", type=int, default=200)
    given = parser.parse_args()
    settings, began = Drift(), time.perf_counter()
    print(f"{platform.machine()}, {settings}")
    print(
        "studies a day; blocks a year, chance of a block, false alarms a year, their standard "
        "error, years with any"
    )
    for per_day in (3.0, 10.0, 30.0):
        found = false_alarms(settings, per_day, max(given.years * 3 // round(per_day), 10))
        print(per_day, json.dumps({k: round(v, 4) for k, v in found.items()}), flush=True)
    print("told within one, two, three blocks")
    for per_day in (3.0, 10.0, 30.0):
        for sd in (0.5, 1.0):
            for names in (("probability",), ("width",), INPUT[:6]):
                found_in = power(settings, per_day, sd, names, given.runs)
                print(
                    per_day,
                    sd,
                    "one value" if len(names) == 1 else "six values",
                    names[0],
                    found_in,
                    flush=True,
                )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()

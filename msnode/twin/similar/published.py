"""People of whom others have published what is compared; see ``PEOPLE.md``."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from msnode.twin.similar.features import REGIONS, Features

MICROLITRES = (20.0, 26.0, 49.0)
"""What a unit of area of the cohort stands for: quartiles and median of 14 people."""
ENOUGH = 30
"""So many people of like age and the same sex are wanted to tell a place among them."""


@dataclass(frozen=True, slots=True)
class Person:
    """One of the 30 people.

    Attributes:
        name: MNI-1 to MNI-30.
        course: RRMS, SPMS, PRMS, CIS, or "".
        known: what is compared.
        lesions: number of lesions.
    """

    name: str
    course: str
    known: Features
    lesions: int


@dataclass(frozen=True, slots=True)
class Place:
    """A load's place among people of like age and the same sex.

    Attributes:
        low: centile, if a unit of area is the larger of its quartiles.
        middle: centile, at its median.
        high: centile, if it is the smaller.
        number: of people.
        years: they are at most so much older or younger.
        sex: F or M; None for both.
    """

    low: float
    middle: float
    high: float
    number: int
    years: int
    sex: str | None


@cache
def people() -> tuple[Person, ...]:
    """The 30 people."""
    return tuple(_person(row) for row in _rows("people.csv"))


def _person(row: dict[str, str]) -> Person:
    ml = float(row["ml"])
    parts = [float(row[region]) for region in REGIONS]
    known = Features(
        age=float(row["age"]),
        sex=row["sex"],
        load=ml,
        edss=float(row["edss"]) if row["edss"] else None,
        regions=tuple(part / sum(parts) for part in parts) if sum(parts) else None,
    )
    return Person(f"MNI-{row['person']}", row["course"], known, int(row["lesions"]))


@cache
def cohort() -> tuple[tuple[int, str, int], ...]:
    """Age, sex and lesion area of 380 people of one scanner."""
    return tuple((int(r["age"]), r["sex"], int(r["area"])) for r in _rows("cohort.csv"))


def _rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(newline="") as file:
        return list(csv.DictReader(file))


def place(known: Features) -> Place | None:
    """Where a load stands in the cohort; None where load or age is not known."""
    if known.load is None or known.age is None:
        return None
    sex = known.sex if known.sex in ("F", "M") else None
    mine = [(abs(age - known.age), area) for age, s, area in cohort() if sex in (None, s)]
    years = next(n for n in range(5, 200, 5) if sum(gap <= n for gap, _ in mine) >= ENOUGH)
    areas = [area for gap, area in mine if gap <= years]
    low, middle, high = (
        _centile(1000 * known.load / microlitres, areas) for microlitres in reversed(MICROLITRES)
    )
    return Place(low, middle, high, len(areas), years, sex)


def _centile(area: float, areas: list[int]) -> float:
    """Part of the areas below, and half of those that are equal, in 100."""
    below, equal = sum(one < area for one in areas), sum(one == area for one in areas)
    return round(100 * (below + equal / 2) / len(areas), 1)

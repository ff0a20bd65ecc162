"""What people are compared by, and how far they are apart."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from msnode.twin.clinical.course import Course
from msnode.twin.expect.lesion_rate import disjoint
from msnode.twin.rules.activity import YEAR_DAYS, Compared, compared_studies

FEWEST = 3
"""With fewer features that are known of both, nobody is called near or far."""
SPREADS = {
    "age": 9.0,
    "sex": 1.0,
    "duration": 6.2,
    "load": 1.3,
    "activity": 1.0,
    "EDSS": 1.4,
    "regions": 0.2,
}
"""By how much people differ, one standard deviation: age, time since diagnosis (here since onset)
and EDSS of 1882 people at the begin of ASCLEPIOS I and II (Gärtner et al., Mult Scler 2022); the
logarithm of the load, and the shares of the regions, of the 30 of ``people.csv``, about; the other
sex, and the logarithm of the activity: this program's choice."""
LEAST_ML, LEAST_RATE = 0.5, 0.25
"""Are added before the logarithm: below, differences mean little."""

REGIONS = ("periventricular", "deep_white", "juxtacortical", "infratentorial")
Shares = tuple[float, ...]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Features:
    """Of somebody on a day; None where it is not known.

    Attributes:
        age: in years; of the node's own patients by the year of birth.
        sex: F, M or O.
        duration: years since the onset.
        load: ml.
        activity: new lesions a year, in the compared intervals so far.
        edss: the latest.
        regions: parts of the load by region, in the order of `REGIONS`.
    """

    age: float | None = None
    sex: str | None = None
    duration: float | None = None
    load: float | None = None
    activity: float | None = None
    edss: float | None = None
    regions: Shares | None = None


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two people are apart.

    Attributes:
        value: root of the mean square of the standardised differences: 0 is alike, 1 is one
            standard deviation in each feature.
        by: features that are known of both.
    """

    value: float
    by: tuple[str, ...]


def distance(one: Features, other: Features) -> Distance | None:
    """How far two people are apart; None where too little is known of both."""
    found = dict(_differences(one, other))
    if len(found) < FEWEST:
        return None
    squares = sum((value / SPREADS[name]) ** 2 for name, value in found.items())
    return Distance(math.sqrt(squares / len(found)), tuple(found))


def _differences(one: Features, other: Features) -> Iterator[tuple[str, float]]:
    numbers = {
        "age": (one.age, other.age),
        "duration": (one.duration, other.duration),
        "load": (_log(one.load, LEAST_ML), _log(other.load, LEAST_ML)),
        "activity": (_log(one.activity, LEAST_RATE), _log(other.activity, LEAST_RATE)),
        "EDSS": (one.edss, other.edss),
    }
    for name, (here, there) in numbers.items():
        if here is not None and there is not None:
            yield name, here - there
    if one.sex and other.sex:
        yield "sex", float(one.sex != other.sex)
    if one.regions and other.regions:
        pairs = zip(one.regions, other.regions, strict=True)
        yield "regions", math.sqrt(sum((a - b) ** 2 for a, b in pairs) / len(one.regions))


def _log(value: float | None, least: float) -> float | None:
    return None if value is None else math.log(value + least)


@dataclass(frozen=True, slots=True)
class FeatureHistory:
    """What is compared of a patient, at any time; what contradicts itself is left out.

    Attributes:
        birth_year: year.
        sex: F, M or O.
        onset: day of the first symptom.
        scores: EDSS by day, oldest first.
        loads: ml by day, likewise.
        regions: parts of the load by day, likewise.
        compared: intervals that do not overlap, likewise.
    """

    birth_year: int | None
    sex: str | None
    onset: date | None
    scores: tuple[tuple[date, float], ...]
    loads: tuple[tuple[date, float], ...]
    regions: tuple[tuple[date, Shares], ...]
    compared: tuple[Compared, ...]

    def at(self, on: date) -> Features:
        """What is known of a day."""
        used = [one for one in self.compared if one.day <= on]
        days = sum((one.day - one.prior).days for one in used)
        duration = (on - self.onset).days / YEAR_DAYS if self.onset and self.onset <= on else None
        return Features(
            age=on.year - self.birth_year if self.birth_year else None,
            sex=self.sex,
            duration=duration,
            load=_last(self.loads, on),
            activity=sum(one.new for one in used) / (days / YEAR_DAYS) if days else None,
            edss=_last(self.scores, on),
            regions=_last(self.regions, on),
        )


def feature_history(course: Course) -> FeatureHistory:
    """What is compared of a patient."""
    birth, sex = _only(course, "birth_year"), _only(course, "sex")
    onsets = course.of("onset") if not course.contradicted("onset") else ()
    scores = course.of("edss") if not course.contradicted("edss") else ()
    return FeatureHistory(
        birth_year=int(birth) if birth else None,
        sex=sex,
        onset=onsets[0].about if onsets else None,
        scores=tuple((one.day, float(one.value)) for one in scores if one.day),
        loads=tuple(
            (scan.day, scan.lesion_ml)
            for scan in course.imaging
            if scan.day and scan.lesion_ml is not None
        ),
        regions=tuple(_shares(course)),
        compared=tuple(disjoint(compared_studies(course))),
    )


def _shares(course: Course) -> Iterator[tuple[date, Shares]]:
    """Parts of the load by region, by day."""
    for scan in course.imaging:
        placed: dict[str, float] = dict(scan.regions)
        ml = [placed.get(region, 0.0) for region in REGIONS]
        if scan.day and sum(ml):
            yield scan.day, tuple(one / sum(ml) for one in ml)


def _last(values: tuple[tuple[date, Value], ...], on: date) -> Value | None:
    """The value of the last day that is not later."""
    known = bisect_right(values, on, key=lambda one: one[0])
    return values[known - 1][1] if known else None


def _only(course: Course, kind: str) -> str | None:
    """The value of what is true for life."""
    events = course.of(kind) if not course.contradicted(kind) else ()
    return events[-1].value if events else None

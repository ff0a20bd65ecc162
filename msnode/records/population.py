"""What a model learned from, and whether a study is of that kind: warnings, never other numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msnode.records.sentences import Sentence

Range = tuple[float | None, float | None]
"""Lowest and highest value; None where that end is open."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a series was acquired, as far as its header says.

    Attributes:
        age_years: the patient's at the study.
        field_strength_t: MagneticFieldStrength, tesla.
        slice_mm: SliceThickness, mm.
        manufacturer: Manufacturer.
        dimensions: MRAcquisitionType, ``2D`` or ``3D``.
        agent: whether the header names a contrast agent.
        sex: PatientSex.
        model: ManufacturerModelName.
        station: StationName.
    """

    age_years: float | None = None
    field_strength_t: float | None = None
    slice_mm: float | None = None
    manufacturer: str = ""
    dimensions: str = ""
    agent: bool = False
    sex: str = ""
    model: str = ""
    station: str = ""

    @property
    def scanner(self) -> str:
        """Manufacturer, model, field and station, for people; "" where the header names none."""
        field = f"{self.field_strength_t:.1f} T" if self.field_strength_t is not None else ""
        parts = (self.manufacturer.upper(), self.model, field, self.station)
        return " ".join(" ".join(part.split())[:40] for part in parts if part.strip())


@dataclass(frozen=True, slots=True)
class Strata:
    """The strata of a model's training data; None or () where nothing is stated.

    Attributes:
        age_years: of the persons.
        field_strength_t: tesla.
        distance_mm: between neighbouring slices, mm.
        manufacturers: a part of the header's Manufacturer, in any case.
        dimensions: ``2D``, ``3D``.
    """

    age_years: Range | None = None
    field_strength_t: Range | None = None
    distance_mm: Range | None = None
    manufacturers: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()


def outside(strata: Strata, found: Acquisition, distance_mm: float) -> tuple[Sentence, ...]:
    """One warning that names every stratum a study is outside of; none where it is inside.

    See `missed`.
    """
    what = missed(strata, found, distance_mm)
    return (Sentence("outside", strata=what),) if what else ()


def missed(strata: Strata, found: Acquisition, distance_mm: float) -> tuple[Sentence, ...]:
    """Every stratum that a study is outside of. What the header does not say is not told.

    Args:
        strata: of the model.
        found: of the study.
        distance_mm: between its neighbouring slices.
    """
    return (
        *_beyond("outside_age", found.age_years, strata.age_years),
        *_beyond("outside_field", found.field_strength_t, strata.field_strength_t),
        *_beyond("outside_distance", distance_mm, strata.distance_mm),
        *_other("outside_manufacturer", found.manufacturer, strata.manufacturers),
        *_other("outside_dimensions", found.dimensions, strata.dimensions),
    )


def _beyond(phrase: str, value: float | None, known: Range | None) -> Iterator[Sentence]:
    """A value beyond a range, both to one decimal place: headers say 1.494 T and 1.5 T."""
    if value is None or known is None:
        return
    low, high = known
    shown = round(value, 1)
    if (low is not None and shown < low) or (high is not None and shown > high):
        yield Sentence(phrase, value=shown, known=_range(low, high))


def _range(low: float | None, high: float | None) -> Sentence:
    """A range in words."""
    if low is None or high is None:
        return Sentence("at_most", high=high or 0) if low is None else Sentence("at_least", low=low)
    return Sentence("exactly", low=low) if low == high else Sentence("between", low=low, high=high)


def _other(phrase: str, value: str, known: Sequence[str]) -> Iterator[Sentence]:
    """A value that contains none of the known ones."""
    if value and known and not any(one.casefold() in value.casefold() for one in known):
        yield Sentence(phrase, value=value, known=", ".join(known))

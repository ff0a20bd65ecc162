"""A patient's course as it is drawn: scans, relapses, treatments and EDSS on one axis of time."""

from dataclasses import dataclass
from datetime import date

from msnode.records.lesions import Region


@dataclass(frozen=True, slots=True)
class ScanPoint:
    """A scan with outlines.

    Attributes:
        day: of the study.
        ml: volume of all lesions; of different networks they do not compare.
        regions: ml by region; () in results of older versions.
        same_network: whether the newest scan's network outlined it.
        since: day of the scan that it was compared with; None where it was not.
        new: number of new lesions since then; None likewise.
        enlarging: likewise.
    """

    day: date
    ml: float
    regions: tuple[tuple[Region, float], ...] = ()
    same_network: bool = True
    since: date | None = None
    new: int | None = None
    enlarging: int | None = None


@dataclass(frozen=True, slots=True)
class TreatmentSpan:
    """A treatment.

    Attributes:
        name: of it.
        begin: None where that is not on record.
        end: None where it goes on.
        is_exact: whether both days are known to the day; else they are about right.
    """

    name: str
    begin: date | None
    end: date | None
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected to be measured on a day: an 80 % interval and its middle."""

    day: date
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is drawn.

    Attributes:
        on: the day it is drawn on; what lies behind it is expected, not known.
        scans: by day.
        edss: day and score, by day.
        relapses: first and last day on which each may have begun.
        reviewed: first and last day of spans of which all relapses are on record.
        treatments: by begin.
        load_ahead: of the load, by day; () where nothing of it is known of the patient.
        edss_ahead: likewise.
        new_ahead: new lesions from ``on`` to its day; None likewise.
    """

    on: date
    scans: tuple[ScanPoint, ...] = ()
    edss: tuple[tuple[date, float], ...] = ()
    relapses: tuple[tuple[date, date], ...] = ()
    reviewed: tuple[tuple[date, date], ...] = ()
    treatments: tuple[TreatmentSpan, ...] = ()
    load_ahead: tuple[Ahead, ...] = ()
    edss_ahead: tuple[Ahead, ...] = ()
    new_ahead: Ahead | None = None

    @property
    def has_course(self) -> bool:
        """Whether there is more than one scan to draw."""
        clinical = self.edss or self.relapses or self.treatments or self.reviewed
        return len(self.scans) > 1 or bool(clinical)

"""The axis of time of a patient's course."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from msnode.records.timeline import Timeline

WIDTH, LEFT, RIGHT = 1200.0, 190.0, 24.0
"""Units of the whole, left and right of the axis."""
MOST_TICKS = 9
LEAST = timedelta(days=365)
"""The past takes at least so much room."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From the first day to the last that is expected of.

    Attributes:
        first: at the left end.
        on: the day it is drawn on.
        last: at the right end.
    """

    first: date
    on: date
    last: date

    @classmethod
    def of(cls, told: Timeline) -> "Axis":
        """The axis that holds everything."""
        days = [
            told.on - LEAST,
            *(one.day for one in told.scans),
            *(one.since for one in told.scans if one.since is not None),
            *(day for day, _ in told.edss),
            *(first for first, _ in told.relapses),
            *(first for first, _ in told.reviewed),
            *(day for one in told.treatments if (day := one.begin or one.end) is not None),
        ]
        first = min(days)
        room = (told.on - first) / 40  # so that the first mark is no part of the edge
        ends = [one.day for one in (*told.load_ahead, *told.edss_ahead)]
        if told.new_ahead is not None:
            ends.append(told.new_ahead.day)
        return cls(first - room, told.on, max(ends, default=told.on) + room)

    def x(self, day: date) -> float:
        """Where a day is, units from the left of the picture."""
        part = (day - self.first).days / max((self.last - self.first).days, 1)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(part, 0.0), 1.0)

    def ticks(self) -> Iterator[date]:
        """Begins of years, or of quarters where there are few years."""
        months = next((m for m in (3, 6, 12, 24, 60, 120) if self._months() / m <= MOST_TICKS), 240)
        year = self.first.year - self.first.year % max(months // 12, 1)
        while year <= self.last.year:
            for month in range(1, 13, months):
                if self.first <= (day := date(year, month, 1)) <= self.last:
                    yield day
            year += max(months // 12, 1)

    def _months(self) -> float:
        return (self.last - self.first).days / 30.4

    def words(self, day: date) -> str:
        """A tick: its year, or its year and month."""
        return f"{day:%Y}" if self._months() / 12 > MOST_TICKS / 2 else f"{day:%Y-%m}"

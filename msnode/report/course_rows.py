"""The rows of the picture of a patient's course; each draws itself below a height."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from msnode.records.lesions import REGIONS
from msnode.records.timeline import Ahead, ScanPoint, Timeline, TreatmentSpan
from msnode.report.canvas import Canvas
from msnode.report.course_axis import LEFT, RIGHT, WIDTH, Axis
from msnode.report.localised import Words
from msnode.report.paper import EDGE, EXPECTED, FAINT, GREY, INK, MARK, REGION, WHITE

BAR = 18.0
"""Width of a scan's bar."""
LANE = 22.0
"""Height of a treatment."""


@dataclass(frozen=True, slots=True)
class Part(ABC):
    """A row of the picture."""

    canvas: Canvas
    axis: Axis
    told: Timeline
    say: Words

    @abstractmethod
    def draw(self, top: float) -> None:
        """Draw it below a height."""


class Load(Part):
    """The load of each scan by region, and what is expected."""

    def draw(self, top: float) -> None:
        """Bars, their sums, the band; the legend under the title."""
        bottom, room = top + 206, 184.0
        most = max([*(s.ml for s in self.told.scans), *(a.high for a in self.told.load_ahead), 0.1])
        self._legend(top + 26)
        _scale(self.canvas, bottom, room, most, self.say)
        _band(self.canvas, self.axis, self.told.load_ahead, bottom, room / most)
        width = self._width()
        for scan in self.told.scans:
            self._bar(scan, bottom, room / most, width)
        if self.told.load_ahead:
            end = self.told.load_ahead[-1]
            words = "–".join(self.say.number(value) for value in (end.low, end.high))
            at = (WIDTH - RIGHT, bottom - room * end.high / most - 4)
            self.canvas.text(at, words, 12, EDGE, anchor="rs")

    def _width(self) -> float:
        """So that neighbours do not touch."""
        places = [self.axis.x(scan.day) for scan in self.told.scans]
        return min([BAR, *(0.8 * (b - a) for a, b in pairwise(places) if b > a)])

    def _bar(self, scan: ScanPoint, bottom: float, unit: float, width: float) -> None:
        x, y = self.axis.x(scan.day), bottom
        left, right = x - width / 2, x + width / 2
        if not scan.same_network:
            self.canvas.rectangle((left, bottom - unit * scan.ml, right, bottom), INK)
            inner = (left + 1.5, bottom - unit * scan.ml + 1.5, right - 1.5, bottom - 1.5)
            if scan.ml * unit > 4:
                self.canvas.rectangle(inner, WHITE)
        else:
            known = dict(scan.regions) or {"unknown": scan.ml}
            for region in REGIONS:
                if high := unit * known.get(region, 0.0):
                    self.canvas.rectangle((left, y - high, right, y), REGION[region])
                    y -= high
        total = self.say.number(scan.ml, 1 if scan.ml >= 1 else 2)
        at = (x, bottom - unit * scan.ml - 4)
        self.canvas.text(at, total, 13, INK, bold=True, anchor="ms")

    def _legend(self, top: float) -> None:
        """The darkest lies at the bottom of a bar, as here."""
        shown = [r for r in REGIONS if any(dict(s.regions).get(r) for s in self.told.scans)]
        for number, region in enumerate(reversed(shown)):
            y = top + 18 * number
            self.canvas.rectangle((20, y, 32, y + 12), REGION[region])
            self.canvas.text((38, y), self.say(f"region_{region}"), 12, GREY, width=LEFT - 60)


class New(Part):
    """New lesions of each compared interval, on the line from the earlier scan to the later."""

    def draw(self, top: float) -> None:
        """A line and a number for each interval, what is expected behind it."""
        y = top + 30
        compared = [scan for scan in self.told.scans if scan.new is not None]
        for scan in compared:
            begin, end = (self.axis.x(day) for day in (scan.since or scan.day, scan.day))
            self.canvas.line((begin, y, end, y), INK)
            self.canvas.line((begin, y - 4, begin, y + 4), INK)
        for scan in compared:  # over all lines
            self._number(scan, y)
        if (ahead := self.told.new_ahead) is not None:
            words = self.say("course_ahead", low=round(ahead.low), high=round(ahead.high))
            x = self.axis.x(ahead.day)
            self.canvas.line((self.axis.x(self.told.on), y, x, y), EDGE, 2)
            self.canvas.text((WIDTH - RIGHT, y - 10), words, 12, EDGE, anchor="rs")

    def _number(self, scan: ScanPoint, y: float) -> None:
        x, fill = self.axis.x(scan.day), MARK if scan.new else WHITE
        self.canvas.disc((x, y), 6, fill, MARK if scan.new else INK)
        colour = MARK if scan.new else INK
        self.canvas.text((x, y - 10), str(scan.new), 14, colour, bold=True, anchor="ms")
        if scan.enlarging:
            more = self.say("course_enlarging", count=scan.enlarging)
            self.canvas.text((x, y + 10), more, 11, GREY, anchor="ma")


class Edss(Part):
    """The EDSS, from score to score, and what is expected."""

    def draw(self, top: float) -> None:
        """Points, the line between them, the band."""
        bottom, room = top + 126, 100.0
        ahead = self.told.edss_ahead
        most = max([3.0, *(s + 0.5 for _, s in self.told.edss), *(a.high for a in ahead)])
        _scale(self.canvas, bottom, room, most, self.say)
        _band(self.canvas, self.axis, ahead, bottom, room / most)
        points = [(self.axis.x(day), bottom - room * score / most) for day, score in self.told.edss]
        for (x, y), (to_x, to_y) in pairwise(points):
            self.canvas.line((x, y, to_x, to_y), INK, 2)
        free = 0.0
        for (x, y), (_, score) in zip(points, self.told.edss, strict=True):
            self.canvas.disc((x, y), 4, INK, INK)
            if x >= free:  # labels must not lie on one another
                words = self.say.number(score)
                free = x + 8 + self.canvas.text((x, y - 9), words, 12, INK, bold=True, anchor="ms")
        if ahead:
            words = "–".join(self.say.number(value) for value in (ahead[-1].low, ahead[-1].high))
            at = (WIDTH - RIGHT, bottom - room * ahead[-1].high / most - 4)
            self.canvas.text(at, words, 12, EDGE, anchor="rs")


class Relapses(Part):
    """The begins of relapses, over the time of which all are on record."""

    def draw(self, top: float) -> None:
        """A line for each span, a mark for each relapse."""
        y = top + 16
        for first, last in self.told.reviewed:
            self.canvas.line((self.axis.x(first), y, self.axis.x(last), y), INK, 2)
        for first, last in self.told.relapses:
            left, right = self.axis.x(first), self.axis.x(last)
            if first != last:
                self.canvas.line((left, y - 7, right, y - 7), MARK, 2)
            x = (left + right) / 2
            self.canvas.polygon((x - 8, y - 14, x + 8, y - 14, x, y), MARK)


class Treatments(Part):
    """Treatments as bars; those at one time lie under one another."""

    def draw(self, top: float) -> None:
        """Open at the end where a treatment goes on."""
        for lane, span in lanes(self.axis, self.told):
            y = top + LANE * lane
            left, right = self._ends(span)
            self.canvas.rectangle((left, y, right, y + LANE - 4), FAINT)
            self.canvas.line((left, y, left, y + LANE - 4), INK, 2)
            if span.end is not None:
                self.canvas.line((right, y, right, y + LANE - 4), INK, 2)
            else:
                self.canvas.polygon(
                    (right, y, right + 9, y + LANE / 2 - 2, right, y + LANE - 4), FAINT
                )
            words = span.name if span.is_exact else f"~ {span.name}"
            self._name(words, left, right, y + LANE / 2 - 2)

    def _name(self, name: str, left: float, right: float, y: float) -> None:
        """In the bar; behind it where it is too short."""
        room = right - left - 12
        if room > 60:
            self.canvas.text((left + 6, y), name, 12, INK, anchor="lm", width=room)
        else:
            self.canvas.text((right + 14, y), name, 12, INK, anchor="lm", width=160)

    def _ends(self, span: TreatmentSpan) -> tuple[float, float]:
        begin = span.begin or self.axis.first
        return self.axis.x(begin), self.axis.x(span.end or max(self.axis.on, begin))


def height_of_treatments(axis: Axis, told: Timeline) -> float:
    """Units that `Treatments` takes."""
    return LANE * (1 + max(lane for lane, _ in lanes(axis, told))) + 4


def lanes(axis: Axis, told: Timeline) -> Iterator[tuple[int, TreatmentSpan]]:
    """The first lane that is free when a treatment begins."""
    free: list[date] = []
    for span in sorted(told.treatments, key=lambda one: one.begin or axis.first):
        begin, end = span.begin or axis.first, span.end or axis.last
        lane = next((n for n, until in enumerate(free) if until <= begin), len(free))
        free[lane : lane + 1] = [end]
        yield lane, span


def _scale(canvas: Canvas, bottom: float, room: float, most: float, say: Words) -> None:
    """The zero line, and one at a round number below the highest."""
    size = 10.0 ** (len(str(int(most))) - 1) if most >= 1 else 0.1
    value = max(step * size for step in (1, 2, 5) if step * size <= most) if most >= size else most
    for mark in (0.0, value):
        y = bottom - room * mark / most
        canvas.line((LEFT, y, WIDTH - RIGHT, y), FAINT if mark else INK)
        words = say.number(mark, 0 if mark == int(mark) else 1)
        canvas.text((LEFT - 8, y), words, 12, GREY, anchor="rm")


def _band(canvas: Canvas, axis: Axis, ahead: Sequence[Ahead], bottom: float, unit: float) -> None:
    """Expected intervals, their edges and their middle."""
    if not ahead:
        return
    high = [(axis.x(one.day), bottom - unit * one.high) for one in ahead]
    low = [(axis.x(one.day), bottom - unit * one.low) for one in ahead]
    canvas.polygon([at for place in (*high, *reversed(low)) for at in place], EXPECTED)
    middle = [(axis.x(one.day), bottom - unit * one.middle) for one in ahead]
    for line, width in ((high, 1), (low, 1), (middle, 2)):
        for start, end in pairwise(line):
            canvas.line((*start, *end), EDGE, width)

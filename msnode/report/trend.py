"""What earlier studies of the same patient came to, and what may be compared."""

from datetime import datetime
from itertools import pairwise

from reportlab.pdfgen.canvas import Canvas

from msnode.records.results import Prior
from msnode.report.case import Case
from msnode.report.palette import DECISION
from msnode.report.pdf_layout import FAINT, GREY, INK, MARGIN, colour, heading

MOST = 6
"""Priors shown: the latest."""

ROW = 11.5
"""Height of a study's line, points."""


def studies(case: Case) -> list[Prior]:
    """The latest earlier studies and this one, in order; none where no earlier one is known."""
    report = case.report
    if not report.priors:
        return []
    info, finding = report.model, report.finding
    current = Prior(
        study_date=datetime.strptime(case.header.study.StudyDate, "%Y%m%d").date(),
        decision=finding.decision if finding is not None else None,
        probability=finding.probability if finding is not None else None,
        threshold=info.threshold,
        model=f"{info.name} {info.version}",
        digest=info.digest,
    )
    return [*report.priors[-MOST:], current]


def words(case: Case, one: Prior) -> tuple[str, str, str, str]:
    """Date, result, probability and model of a study; the digest tells two of one name apart."""
    say = case.say
    result = say(one.decision or "not_analysed")
    return (
        one.study_date.isoformat(),
        result[0].upper() + result[1:],
        _probability(case, one),
        f"{one.model} · {one.digest[:6]}",
    )


def _probability(case: Case, one: Prior) -> str:
    """As per cent, told apart from the threshold of its time."""
    if one.probability is None:
        return "–"
    limits = () if one.threshold is None else (one.threshold,)
    return case.say.percent(one.probability, *limits)


def notes(case: Case) -> list[str]:
    """How to read the row of studies."""
    found, left = studies(case), len(case.report.priors) - MOST
    texts = [case.say("trend_more", count=left)] if left > 0 else []
    if len({one.digest for one in found}) > 1:
        texts.append(case.say("trend_note"))
    return texts


def lines(case: Case) -> list[str]:
    """One line for each earlier study."""
    return [", ".join(words(case, one)) for one in studies(case)[:-1]] + notes(case)


def height(case: Case) -> float:
    """What `draw` takes of the page, points."""
    found = studies(case)
    return _chart_height(found) + 39 + 10 * len(notes(case)) if found else 0.0


def _chart_height(found: list[Prior]) -> float:
    return max(ROW * len(found), 58.0)


def draw(canvas: Canvas, case: Case, y: float) -> float:
    """Earlier studies and this one, as dots over time and in words; returns the y below."""
    found = studies(case)
    if not found:
        return y
    heading(canvas, case.say("trend"), y)
    top, below = y - 18, y - 18 - _chart_height(found)
    _dots(canvas, case, found, (MARGIN + 30, below + 4, 170, top - below - 8))
    for row, one in enumerate(found):
        _row(canvas, case, one, top - ROW * (row + 1) + 3, this=one is found[-1])
    canvas.setFont("Inter-Regular", 7.5)
    canvas.setFillColor(GREY)
    for number, note in enumerate(notes(case)):
        canvas.drawString(MARGIN, below - 18 - 10 * number, note)
    return y - height(case)


def _row(canvas: Canvas, case: Case, one: Prior, y: float, *, this: bool) -> None:
    """A study in words."""
    _mark(canvas, one, MARGIN + 226, y + 3)
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold" if this else "Inter-Regular", 8)
    date, result, probability, model = words(case, one)
    canvas.drawString(MARGIN + 236, y, date)
    canvas.drawString(MARGIN + 290, y, result)
    canvas.drawRightString(MARGIN + 400, y, probability)
    canvas.setFont("Inter-Regular", 7.5)
    canvas.setFillColor(GREY)
    canvas.drawString(MARGIN + 410, y, case.say("this_study") if this else model)


def _dots(
    canvas: Canvas, case: Case, found: list[Prior], box: tuple[float, float, float, float]
) -> None:
    """Probability over time; only what one model said is joined."""
    left, bottom, width, high = box
    _axes(canvas, case, found, box)
    days = [(one.study_date - found[0].study_date).days for one in found]
    places = [
        (left + width * day / max(days[-1], 1), bottom + high * (one.probability or 0.0))
        for one, day in zip(found, days, strict=True)
    ]
    canvas.setStrokeColor(GREY)
    canvas.setLineWidth(1)
    known = [
        (one, at) for one, at in zip(found, places, strict=True) if one.probability is not None
    ]
    for (one, start), (other, end) in pairwise(known):
        if one.digest == other.digest:
            canvas.line(*start, *end)
    canvas.setStrokeColor(INK)
    for one, (x, _) in known:
        if one.threshold is not None:
            level = bottom + high * one.threshold
            canvas.line(x - 5, level, x + 5, level)
    for one, (x, level) in known:
        _mark(canvas, one, x, level)


def _axes(
    canvas: Canvas, case: Case, found: list[Prior], box: tuple[float, float, float, float]
) -> None:
    """Probability upwards, time to the right, and what the short lines mean."""
    left, bottom, width, high = box
    canvas.setFont("Inter-Regular", 7)
    canvas.setFillColor(GREY)
    canvas.setStrokeColor(FAINT)
    canvas.setLineWidth(0.4)
    for fraction in (0.0, 0.5, 1.0):
        level = bottom + high * fraction
        canvas.line(left - 6, level, left + width + 6, level)
        canvas.drawRightString(left - 9, level - 2.5, case.say.rate(fraction))
    first, last = found[0].study_date.isoformat(), found[-1].study_date.isoformat()
    canvas.drawString(left - 6, bottom - 11, first)
    canvas.drawRightString(left + width + 6, bottom - 11, last)
    canvas.drawCentredString(left + width / 2, bottom - 11, f"— {case.say('threshold')}")


def _mark(canvas: Canvas, one: Prior, x: float, y: float) -> None:
    """A dot in the decision's colour, filled only where it is "present"."""
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(0.7)
    canvas.setFillColor(colour(DECISION[one.decision or "not_analysed"]))
    if one.decision is None:
        canvas.line(x - 2.5, y, x + 2.5, y)
    elif one.decision == "undetermined":
        canvas.rect(x - 2.5, y - 2.5, 5, 5, fill=1)
    else:
        canvas.circle(x, y, 3, fill=one.decision == "present")

"""What earlier studies of the same patient came to, and what may be compared."""

from reportlab.pdfgen.canvas import Canvas

from msnode.records.dicom_date import day_of
from msnode.records.results import Prior
from msnode.report.case import Case
from msnode.report.palette import DECISION
from msnode.report.pdf_layout import GREY, INK, MARGIN, colour, heading

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
    on = day_of(case.header.study.StudyDate)
    assert on is not None  # noqa: S101 - else no study is an earlier one
    current = Prior(
        study_date=on,
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
    texts += [case.say("trend_meaning")] if found else []
    if len({one.digest for one in found}) > 1:
        texts.append(case.say("trend_note"))
    return texts


def lines(case: Case) -> list[str]:
    """One line for each earlier study."""
    return [", ".join(words(case, one)) for one in studies(case)[:-1]] + notes(case)


def height(case: Case) -> float:
    """What `draw` takes of the page, points."""
    found = studies(case)
    return ROW * len(found) + 28 + 10 * len(notes(case)) if found else 0.0


def draw(canvas: Canvas, case: Case, y: float) -> float:
    """Earlier studies and this one, a line each; returns the y below.

    No curve: the model's probability would be read as the course of the disease.
    """
    found = studies(case)
    if not found:
        return y
    heading(canvas, case.say("trend"), y)
    top, below = y - 16, y - 16 - ROW * len(found)
    for row, one in enumerate(found):
        _row(canvas, case, one, top - ROW * (row + 1) + 3, this=one is found[-1])
    canvas.setFont("Inter-Regular", 7.5)
    canvas.setFillColor(GREY)
    for number, note in enumerate(notes(case)):
        canvas.drawString(MARGIN, below - 8 - 10 * number, note)
    return y - height(case)


def _row(canvas: Canvas, case: Case, one: Prior, y: float, *, this: bool) -> None:
    """A study in words."""
    _mark(canvas, one, MARGIN + 4, y + 3)
    canvas.setFillColor(INK)
    canvas.setFont("Inter-SemiBold" if this else "Inter-Regular", 8)
    date, result, probability, model = words(case, one)
    canvas.drawString(MARGIN + 14, y, date)
    canvas.drawString(MARGIN + 80, y, result)
    canvas.drawRightString(MARGIN + 230, y, probability)
    canvas.setFont("Inter-Regular", 7.5)
    canvas.setFillColor(GREY)
    canvas.drawString(MARGIN + 250, y, case.say("this_study") if this else model)


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

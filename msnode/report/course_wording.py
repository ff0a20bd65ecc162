"""The patient's course in lines: what is on record beside this study, never more."""

from collections.abc import Iterator

from msnode.records.timeline import ScanPoint, Timeline
from msnode.report import lesion_wording
from msnode.report.case import Case

MOST = 6
"""Earlier scans told: the latest."""


def lines(case: Case) -> list[str]:
    """Earlier scans, then what the clinic knows; none where this study is all."""
    told = case.report.timeline
    if told is None:
        return []
    earlier = [one for one in told.scans if one.day < told.on][-MOST:]
    return [*(_scan(case, one) for one in earlier), *_clinic(case, told)]


def _scan(case: Case, one: ScanPoint) -> str:
    """A load, and what was new."""
    say = case.say
    ml = lesion_wording.ml(case, one.ml)
    text = say("course_scan", date=one.day.isoformat(), ml=ml)
    if not one.same_network:
        text = say("course_scan_other", text=text)
    if one.new is None or one.since is None:
        return text
    return say("course_scan_new", text=text, count=one.new, since=one.since.isoformat())


def _clinic(case: Case, told: Timeline) -> Iterator[str]:
    """EDSS, relapses, treatments that go on."""
    say = case.say
    if told.edss:
        day, score = told.edss[-1]
        yield say("course_edss_last", score=say.number(score), date=day.isoformat())
    if told.relapses:
        yield say("course_relapses_known", count=len(told.relapses))
    if names := [one.name for one in told.treatments if one.end is None]:
        yield say.label("course_treatment", ", ".join(names))

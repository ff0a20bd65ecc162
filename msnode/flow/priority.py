"""Which studies should be read before the others: the site's rule, and why it says so."""

from collections.abc import Sequence

from msnode.config import Urgent
from msnode.records.results import Priority, Report
from msnode.records.sentences import Sentence, Text


def suggested(report: Report, rule: Sequence[Urgent]) -> Priority | None:
    """The reading priority of a result.

    Args:
        report: with lesions and earlier studies, as far as there are any.
        rule: what makes a study urgent.

    Returns:
        Urgent with the first reason that there is, else routine; None where nothing was analysed.
    """
    if report.finding is None:
        return None
    reasons = {
        "new_lesions": _changed(report, "new"),
        "enlarging_lesions": _changed(report, "enlarging"),
        "pattern_in_new_patient": _new_pattern(report),
    }
    for one in rule:
        if (why := reasons[one]) is not None:
            return Priority(True, why)
    return Priority(False, _routine(report))


def _changed(report: Report, change: str) -> Text | None:
    """New or enlarging lesions."""
    if report.lesions is None:
        return None
    count = sum(one.change == change for one in report.lesions.comparison.changes)
    return Sentence(f"because_{change}", count=count) if count else None


def _new_pattern(report: Report) -> Text | None:
    """A pattern in somebody of whom no earlier study is known, nor was fetched."""
    present = report.finding is not None and report.finding.decision == "present"
    is_known = report.lesions is not None and report.lesions.comparison.status != "no_prior"
    return Sentence("because_pattern") if present and not (report.priors or is_known) else None


def _routine(report: Report) -> Text:
    """Why a study can wait."""
    found = report.lesions
    if found is None:
        return Sentence("because_nothing")
    if found.doubt("mass", "void") is not None:
        return Sentence("because_doubtful")
    past = found.comparison
    active = past.count("new") or past.count("enlarging")  # the rule may not ask for them
    is_stable = past.status == "compared" and not active and not found.uncompared
    return Sentence("because_stable" if is_stable else "because_nothing")

"""How soon a study should be read, by the rule of the site."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from msnode.config import Priority as Rule
from msnode.config import Urgent
from msnode.flow.priority import suggested
from msnode.records.lesions import Change, Comparison, LesionChange, LesionFinding, LesionModel
from msnode.records.results import Decision, Prior, Report
from msnode.records.sentences import Sentence
from tests import reports

MODEL = LesionModel("lesions", "1.0.0", "d" * 64, 0.5)
PRIOR = Prior(date(2020, 1, 1), "present", 0.8, 0.5, "hybrid 1.0.0", "d" * 64)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return replace(reports.synthetic(tmp_path_factory.mktemp("made"), 3), priority=None)


def compared(*changes: Change) -> LesionFinding:
    """A finding with lesions that changed so."""
    found = tuple(
        LesionChange(n, change, 10.0, 20.0, "deep_white", (0.0, 0.0, 0.0))
        for n, change in enumerate(changes, 1)
    )
    return LesionFinding(MODEL, comparison=Comparison("compared", changes=found))


def decided(made: Report, decision: Decision, *priors: Prior) -> Report:
    assert made.finding is not None
    return replace(made, finding=replace(made.finding, decision=decision), priors=priors)


@pytest.mark.parametrize(
    ("changes", "rule", "why"),
    [
        (("new", "unchanged"), Rule(), "new lesions since the earlier scan: 1"),
        (("enlarging", "enlarging"), Rule(), "enlarging lesions since the earlier scan: 2"),
        (("new", "enlarging"), Rule(), "new lesions since the earlier scan: 1"),
        (("unchanged", "shrinking", "gone"), Rule(), None),
        (("new",), Rule(("enlarging_lesions",)), None),
        (("enlarging",), Rule(("new_lesions",)), None),
        (("new", "enlarging"), Rule(()), None),
    ],
)
@pytest.mark.parametrize("decision", ["present", "absent", "undetermined"])
def test_activity_makes_urgent_whatever_the_classifier_says(
    made: Report, decision: Decision, changes: tuple[Change, ...], rule: Rule, why: str | None
) -> None:
    found = suggested(
        replace(decided(made, decision, PRIOR), lesions=compared(*changes)), rule.urgent_if
    )
    assert found is not None
    assert found.is_urgent is (why is not None)
    assert str(found.why) == why or why is None
    if why is None and {"new", "enlarging"} & set(changes):
        assert str(found.why) == "nothing that the rule of this site calls urgent"


def test_stable_disease_is_routine_and_says_so(made: Report) -> None:
    stable = replace(decided(made, "present", PRIOR), lesions=compared("unchanged", "shrinking"))
    found = suggested(stable, Rule().urgent_if)
    assert found is not None
    assert (found.is_urgent, str(found.why)) == (
        False, "no new and no enlarging lesion since the earlier scan",
    )  # fmt: skip


def test_what_may_be_a_tumour_is_not_called_nothing(made: Report) -> None:
    doubtful = replace(compared("unchanged"), doubts=(Sentence("mass", mm=44),))
    told = suggested(replace(decided(made, "undetermined"), lesions=doubtful), Rule().urgent_if)
    assert told is not None
    assert not told.is_urgent
    assert "the outlines are doubtful" in str(told.why)


@pytest.mark.parametrize(
    ("decision", "priors", "wanted", "urgent"),
    [
        ("present", (), ("pattern_in_new_patient",), True),
        ("present", (), ("new_lesions", "enlarging_lesions"), False),
        ("present", (PRIOR,), ("pattern_in_new_patient",), False),
        ("absent", (), ("pattern_in_new_patient",), False),
        ("undetermined", (), ("pattern_in_new_patient",), False),
    ],
)
def test_a_pattern_is_urgent_in_somebody_new_only(
    made: Report,
    decision: Decision,
    priors: tuple[Prior, ...],
    wanted: tuple[Urgent, ...],
    urgent: bool,
) -> None:
    found = suggested(decided(made, decision, *priors), wanted)
    assert found is not None
    assert found.is_urgent is urgent


def test_what_could_not_be_compared_is_no_news_but_the_patient_is_known(made: Report) -> None:
    past = Comparison("not_compared", "moved too much")
    moved = LesionFinding(MODEL, comparison=past)
    found = suggested(replace(made, lesions=moved, priors=(PRIOR,)), Rule().urgent_if)
    assert found is not None
    assert not found.is_urgent


def test_what_was_not_analysed_has_none(made: Report, tmp_path: Path) -> None:
    assert suggested(reports.not_analysed(made, "no FLAIR"), Rule().urgent_if) is None


def test_a_pattern_is_no_news_in_somebody_whose_earlier_scan_was_fetched(made: Report) -> None:
    """It has no result here, but the patient is not new."""
    quiet = replace(decided(made, "present"), lesions=compared("unchanged"))
    found = suggested(quiet, Rule().urgent_if)
    assert found is not None
    assert not found.is_urgent

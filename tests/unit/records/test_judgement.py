"""What is taken for true of a study, whoever said what of it, in whatever order it came."""

import itertools
from typing import Any

import pytest

from msnode.records.feedback import Feedback, FeedbackKind, Verdict
from msnode.records.judgement import (
    Judged,
    Judgement,
    Truth,
    of_page,
    standing_of,
    truth,
    truth_of,
)

RESULTS: dict[int, str | None] = {1: "present", 2: "absent", 3: "undetermined"}


def said(identity: str, judged: Judged | None, **more: Any) -> Judgement:
    common: dict[str, Any] = {"source": "sr", "study_key": "k", "generation": 1, "state": "counted",
              "diagnosis": None, "reader": identity, "given_at": 1.0, "seen_at": 1.0}  # fmt: skip
    return Judgement(identity=identity, judged=judged, **(common | more))


@pytest.mark.parametrize(
    ("judged", "decision", "expected"),
    [
        ("agree", "present", "present"),
        ("agree", "absent", "absent"),
        ("agree", "undetermined", "open"),
        ("agree", None, "open"),
        ("disagree", "present", "absent"),
        ("disagree", "absent", "present"),
        ("ms", "absent", "present"),
        ("not_ms", None, "absent"),
        ("unsure", "present", "open"),
        (None, "present", "open"),
    ],
)
def test_a_verdict_has_one_meaning(
    judged: Judged | None, decision: str | None, expected: Truth
) -> None:
    assert truth_of(judged, decision) == expected


def test_agreement_is_with_the_result_that_was_read() -> None:
    assert truth([said("a", "agree", generation=2)], RESULTS) == "absent"
    assert truth([said("a", "agree", generation=9)], RESULTS) == "open"


def test_a_newer_document_replaces_the_readers_older_one_in_any_order_of_arrival() -> None:
    first = said("1", "ms", reader="eva", given_at=1.0)
    second = said("2", "not_ms", reader="eva", given_at=2.0, replaces=("1",))
    for order in itertools.permutations([first, second]):
        assert [one.identity for one in standing_of(order)] == ["2"]
        assert truth(order, RESULTS) == "absent"
    signed_by_another = said("3", "ms", reader="max", given_at=3.0, replaces=("2",))
    assert {one.identity for one in standing_of([first, second, signed_by_another])} == {"3"}


def test_who_contradict_each_other_are_no_truth_and_a_diagnosis_is() -> None:
    two = [said("a", "ms"), said("b", "not_ms")]
    assert truth(two, RESULTS) == "disputed"
    assert truth([*two, said("c", None, diagnosis="not_ms")], RESULTS) == "absent"
    assert truth([*two, said("c", "ms", diagnosis="unknown")], RESULTS) == "disputed"


@pytest.mark.parametrize("state", ["unverified", "unclear", "unrelated"])
def test_what_nobody_is_accountable_for_does_not_count(state: Any) -> None:
    assert truth([said("a", "ms", state=state)], RESULTS) == "open"


def test_nameless_documents_replace_nobody_by_their_name() -> None:
    both = [said("1", "ms", reader=""), said("2", "not_ms", reader="")]
    assert truth(both, RESULTS) == "disputed"


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["agree", "reject"], "agree"),
        (["not_ms"], "not_ms"),
        (["agree", "not_ms"], None),
        (["agree", "wrong_series"], None),
        (["reject", "add", "note"], None),
        ([], None),
    ],
)
def test_what_a_finished_reading_says(kinds: list[FeedbackKind], expected: Judged | None) -> None:
    stood = tuple(Feedback(n, "k", 1, kind, 0.0, "eva") for n, kind in enumerate(kinds))
    assert of_page(Verdict(1, "k", 1, 0.0, "eva", stood)) == expected

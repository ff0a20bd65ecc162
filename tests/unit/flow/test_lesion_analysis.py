"""What a comparison needs to know of an earlier visit that another network outlined."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from msnode import lesions
from msnode.flow.lesion_analysis import (
    compared,
    count,
    dated,
    differences,
    model_of,
    most_comparable,
    outlined,
    outlined_again,
)
from msnode.lesions import Bundle, Found, Visit
from msnode.lesions.kept import Kept
from msnode.lesions.lesion_bundle import Manifest
from msnode.lesions.unet import Unet
from msnode.records.images import SourceVolume
from msnode.records.lesions import Comparison, Grade, Lesion, LesionFinding
from msnode.records.population import Acquisition, Strata
from tests import reports

CHILDREN = ("msnode_lesion_doubts_total", {"reason": "outside_age"})


def found(*places: int) -> Found:
    """Lesions of one voxel each at these places of a row, numbered in this order."""
    numbers = np.zeros((9, 1, 1), np.uint16)
    for number, place in enumerate(places, 1):
        numbers[place] = number
    each = tuple(
        Lesion(n, "unknown", 1.0, 3.0, (0,), (0.0, 0.0, 0.0), 0.9, {})
        for n in range(1, len(places) + 1)
    )
    labels = (numbers > 0).astype(np.uint8)
    return Found(labels, numbers, labels.astype(np.float32), each)


def test_outlined_again_keeps_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    was = found(2, 5)
    named = tuple(replace(one, identity=f"first/{one.number}") for one in was.lesions)
    before = Visit(np.ones((9, 1, 1), np.float32), np.eye(4), replace(was, lesions=named))
    monkeypatch.setattr(lesions, "find", lambda *_: found(7, 5, 2))
    again = outlined_again(before, "later", Bundle(Manifest("n", "1"), Unet((4, 4))))
    assert [one.identity for one in again.found.lesions] == ["later/3", "first/2", "first/1"]


def test_of_a_lesion_that_is_now_two_one_keeps_the_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    was, now = found(0), found(0, 2)
    was.numbers[:5], now.numbers[:2], now.numbers[2:5] = 1, 1, 2
    named = tuple(replace(one, identity="first/1") for one in was.lesions)
    before = Visit(np.ones((9, 1, 1), np.float32), np.eye(4), replace(was, lesions=named))
    monkeypatch.setattr(lesions, "find", lambda *_: now)
    again = outlined_again(before, "later", Bundle(Manifest("n", "1"), Unet((4, 4))))
    assert [one.identity for one in again.found.lesions] == ["later/2", "first/1"]


def test_a_child_s_outlines_are_doubted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lesions, "draw", lambda *_: None)
    monkeypatch.setattr(lesions, "measure", lambda *_: found(2))
    monkeypatch.setattr(lesions, "grade", lambda *_: ())
    bundle = Bundle(Manifest("n", "1", strata=Strata(age_years=(18.0, None))), Unet((4, 4)))
    made = reports.synthetic(tmp_path, 1).slices
    assert made is not None
    volume = SourceVolume(np.ones((9, 1, 1), np.float32), np.eye(4))
    for age, doubts in ((9.0, ["age 9 years (trained on 18 and more)"]), (30.0, [])):
        slices = replace(made, acquisition=Acquisition(age_years=age))
        told = outlined("study", slices, volume, bundle).finding.doubts
        assert list(map(str, told)) == doubts
        before = REGISTRY.get_sample_value(*CHILDREN) or 0
        count(LesionFinding(model_of(bundle), doubts=told))
        assert (REGISTRY.get_sample_value(*CHILDREN) or 0) == before + len(doubts)


def visit(date: str, acquisition: Acquisition, distance_mm: float = 6.0, digest: str = "d") -> Kept:
    return Kept(date, date, acquisition, distance_mm, digest, np.eye(4), 1.0, (), None)


THICK = Acquisition(field_strength_t=1.5, dimensions="2D")


def test_what_differs_between_two_scans_is_said() -> None:
    now = visit("20240115", replace(THICK, agent=True))
    assert differences(visit("20230115", replace(THICK, agent=True), 7.0), now) == ()
    other = Acquisition(field_strength_t=2.894, dimensions="3D")
    told = [str(one) for one in differences(visit("20230115", other, 1.0, "old"), now)]
    assert told == [
        "then 3D, now 2D",
        "slices then 1 mm apart, now 6 mm",
        "then 2.9 T, now 1.5 T",
        "now with contrast agent, then without",
        "the earlier scan was outlined again by the present network",
    ]
    unknown = visit("20230115", Acquisition(agent=True))
    assert differences(unknown, now) == (), "what a header does not say does not differ"


def test_the_most_alike_earlier_scan_is_chosen_and_of_those_the_latest() -> None:
    now = visit("20240115", THICK)
    like, later = visit("20210101", THICK), visit("20220101", THICK)
    thin = visit("20230101", replace(THICK, dimensions="3D"))
    assert most_comparable([later, like, thin], now) == later
    assert most_comparable([thin], now) == thin
    assert most_comparable([], now) is None


def test_a_scan_whose_test_found_nothing_is_doubted_and_not_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lesions, "draw", lambda *_: None)
    monkeypatch.setattr(lesions, "measure", lambda *_: found(2))
    grades = [Grade(3, 5, 0, 10), Grade(5, 8, 0, 10)]
    monkeypatch.setattr(lesions, "grade", lambda *_: tuple(grades))
    monkeypatch.setattr(lesions, "compare", lambda *_: pytest.fail("nothing to compare"))
    made = reports.synthetic(tmp_path, 1).slices
    assert made is not None
    bundle = Bundle(Manifest("n", "1"), Unet((4, 4)))
    now = outlined("s", made, SourceVolume(np.ones((9, 1, 1), np.float32), np.eye(4)), bundle)
    assert [getattr(one, "code", "") for one in now.finding.doubts] == ["blind"]
    here = visit("20240115", THICK)
    told = compared(now, lambda: pytest.fail("not read"), visit("20230115", THICK), here, bundle)
    assert told.finding.comparison.status == "not_compared"
    assert "of 20 lesions" in str(told.finding.comparison.reason)
    grades[1] = Grade(5, 8, 1, 10)
    again = outlined("s", made, SourceVolume(np.ones((9, 1, 1), np.float32), np.eye(4)), bundle)
    assert again.finding.doubts == ()


def test_a_prior_that_is_the_later_scan_is_said_to_be_so() -> None:
    told = dated(Comparison("compared"), visit("20240215", THICK), visit("20240115", THICK))
    assert list(map(str, told.differences)) == [
        "the scan compared with is the later one, by 31 days"
    ]

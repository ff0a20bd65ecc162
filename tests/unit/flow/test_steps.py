"""Which steps must be done again, by what is missing in a study's folder."""

from pathlib import Path
from typing import Any

import pytest

from msnode import classify, prepare
from msnode.flow import BRAIN_MRI, steps
from msnode.flow.steps import CLASSIFY, PREPARE, REPORT, STUDY, to_repeat
from msnode.receive.dicom.sop_classes import ANALYSED

HERE = {"slices", "scores", "model"}


def missing(
    monkeypatch: pytest.MonkeyPatch, step: steps.Step, folder: Path, *there: str
) -> list[str]:
    """Names of the steps to repeat where these products are there."""
    monkeypatch.setattr(prepare, "is_saved", lambda _: "slices" in there)
    monkeypatch.setattr(classify, "is_saved", lambda _: "scores" in there)
    model: Any = type("Info", (), {"digest": "now"})
    made_for: Any = type("Info", (), {"digest": "now" if "model" in there else "before"})
    monkeypatch.setattr(classify, "load_info", lambda _: made_for)
    return [one.name for one in to_repeat(STUDY, step, folder, model)]


@pytest.mark.parametrize(
    ("step", "there", "again"),
    [
        (PREPARE, set(), []),
        (CLASSIFY, HERE, []),
        (CLASSIFY, {"slices"}, ["prepare"]),
        (CLASSIFY, {"model"}, ["prepare"]),
        (REPORT, HERE, []),
        (REPORT, HERE - {"model"}, []),
        (REPORT, set(), ["prepare", "classify"]),
        (REPORT, {"scores", "model"}, ["prepare", "classify"]),
        (REPORT, {"slices", "model"}, ["classify"]),
        (REPORT, {"slices"}, ["prepare", "classify"]),
    ],
)
def test_what_is_lost_is_made_again_in_order(
    step: steps.Step,
    there: set[str],
    again: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert missing(monkeypatch, step, tmp_path, *there) == again


def test_every_need_has_one_maker_before_it() -> None:
    for number, step in enumerate(STUDY):
        for product in step.needs:
            assert sum(product in earlier.makes for earlier in STUDY[:number]) == 1


def test_the_receiver_wakes_for_every_route() -> None:
    assert BRAIN_MRI.sop_classes <= ANALYSED

"""Which steps must be done again, by what is missing in a study's folder."""

from pathlib import Path
from typing import Any

import pytest

from msnode import classify, prepare
from msnode.config import Classify, Config, Smears
from msnode.flow import BLOOD_SMEAR, BRAIN_MRI, steps
from msnode.flow.steps import CLASSIFY, PREPARE, REPORT, SMEARS, STUDY, to_repeat
from msnode.receive.dicom.sop_classes import analysed

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


@pytest.mark.parametrize("route", [STUDY, SMEARS])
def test_every_need_has_one_maker_before_it(route: tuple[steps.Step, ...]) -> None:
    for number, step in enumerate(route):
        for product in step.needs:
            assert sum(product in earlier.makes for earlier in route[:number]) == 1


def test_all_routes_have_the_names_of_the_workflow() -> None:
    names = [step.name for step in STUDY]
    assert [step.name for step in SMEARS] == [name for name in names if name != "outline"]


def test_the_receiver_wakes_for_every_route() -> None:
    smears = Smears(Path("bundle"), secondary_captures=True)
    every = analysed(Config(classify=Classify(smears=smears))).every
    assert every == BRAIN_MRI.sop_classes | BLOOD_SMEAR.sop_classes
    assert analysed(Config()).every == BRAIN_MRI.sop_classes

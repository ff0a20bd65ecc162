"""A new lesion makes a study urgent; jobs without lesions, and steps that fail, end well."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from msnode import lesions, metrics
from msnode import report as report_stage
from msnode.errors import TryLater, Unforeseen
from msnode.lesions import kept
from msnode.records.images import Study
from msnode.records.results import Report
from msnode.records.uid_hash import uid_hash
from msnode.sample import LJUBLJANA
from msnode.store.database import open_database, studies
from msnode.store.schema import migrate
from msnode.twin import Twin
from msnode.twin.expect import prediction_store
from tests.integration.lesion_node import (
    NOW,
    SECONDS,
    THEN,
    Node,
    outlining_once,
    report,
    steps,
    with_a_lesion,
    write,
)


@pytest.fixture(scope="module", autouse=True)
def _outlining_once() -> Iterator[None]:
    with outlining_once():
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    folder = tmp_path_factory.mktemp("studies")
    files = {
        THEN: write(LJUBLJANA.nifti, folder / "then", THEN, "20230115"),
        NOW: write(with_a_lesion(folder), folder / "now", NOW, "20240115"),
    }
    return {uid_hash(uid): Study(uid, 1, "evidence", paths, 0.0) for uid, paths in files.items()}


@pytest.fixture
def node(tmp_path: Path, written: dict[str, Study]) -> Iterator[Node]:
    data = tmp_path / "data"
    data.mkdir()
    database = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    migrate(database)
    with database.begin() as connection:
        for study in written.values():
            row = {"study_key": study.key, "study_instance_uid": study.study_instance_uid,
                   "patient_key": "p" * 32, "generation": 1, "state": "queued", "first_at": 0.0,
                   "last_at": 0.0}  # fmt: skip
            connection.execute(studies.insert().values(row))
    yield Node(data, database, written)
    database.dispose()


@pytest.fixture
def ungraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves the time."""
    monkeypatch.setattr(lesions, "grade", lambda *_: ())


@pytest.mark.timeout(300)
def test_a_lesion_that_is_new_is_found_and_makes_the_study_urgent(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = node.flow()
    assert steps(flow, THEN).keys() == {"outline", "grading"}
    first = report(flow, THEN, monkeypatch)
    assert first.lesions is not None
    assert first.lesions.comparison.status == "no_prior"
    assert len(first.lesions.grades) == 3
    assert first.maps is not None
    assert first.slices is not None
    assert first.maps.labels.shape[2] == len(first.slices.frames)
    assert first.priority is not None
    assert "without an earlier study" in str(first.priority.why)
    flow.finish(uid_hash(THEN), 1)
    assert not list(node.work(THEN).glob("*.safetensors"))

    before = metrics.COMPARISONS.labels("compared", "")._value.get()
    assert steps(node.flow(), NOW).keys() == {"outline", "grading", "compare"}
    later = report(flow, NOW, monkeypatch)
    assert later.lesions is not None
    past = later.lesions.comparison
    assert (past.status, past.days, past.count("new"), past.differences) == ("compared", 365, 1, ())
    assert metrics.COMPARISONS.labels("compared", "")._value.get() == before + 1
    known = {one.identity for one in first.lesions.lesions}
    [new] = [one for one in past.changes if one.change == "new"]
    assert new.identity == f"{uid_hash(NOW)}/{new.number}"
    assert {one.identity for one in later.lesions.lesions} & known
    assert later.maps is not None
    assert later.maps.changes is not None
    assert (later.maps.changes[later.maps.numbers == new.number] == 2).all()
    assert later.priority is not None
    assert (later.priority.is_urgent, str(later.priority.why)) == (
        True, "new lesions since the earlier scan: 1",
    )  # fmt: skip

    assert_recorded(node, first, later)


def assert_recorded(node: Node, first: Report, later: Report) -> None:
    """Both studies are in the record, their visits are kept, and the segmentation is written."""
    assert first.lesions is not None
    assert later.lesions is not None
    [one, other] = Twin(node.database).history("p" * 32)
    assert (one.lesion_count, one.comparison) == (len(first.lesions.lesions), "no_prior")
    assert (other.new_lesions, other.comparison) == (1, "compared")
    assert other.lesion_ml == pytest.approx(later.lesions.ml)
    assert later.priors[0].lesion_count == one.lesion_count
    with node.database.connect() as connection:
        before, then = prediction_store.of_patient(connection, "p" * 32)
    assert (before.study_key, before.load.used) == (uid_hash(THEN), 0)
    assert (then.study_key, then.load.used, then.network) == (
        uid_hash(NOW), 1, later.lesions.model.digest,
    )  # fmt: skip
    visits = [kept.known(node.data, study) for study in node.studies]
    assert all(visits)
    mine = kept.known(node.data, uid_hash(NOW))
    assert mine is not None
    assert mine.lesions == later.lesions.lesions
    size = sum(path.stat().st_size for path in (node.data / "visits").rglob("*"))
    assert size < 2 * 8 * 2**20
    names = {path.name for path in node.work(NOW).rglob("*.dcm")}
    assert any("seg" in name for name in names)


def test_a_job_of_v1_ends_without_lesions(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, key = node.flow(), uid_hash(THEN)
    flow.prepare(key, 1)
    flow.classify(key, 1)
    made = report(flow, THEN, monkeypatch, {"prepare": 0.1, "classify": 0.1})
    assert made.lesions is None
    assert not (node.work(THEN) / "lesions.json").exists()
    [entry] = Twin(node.database).history("p" * 32)
    assert (entry.lesion_count, entry.comparison) == (None, None)


def test_without_a_bundle_nothing_is_outlined(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = node.flow(None)
    assert steps(flow, THEN) == {}
    assert report(flow, THEN, monkeypatch).lesions is None
    assert not (node.data / "visits").exists()


def test_a_step_that_failed_for_good_is_a_reason(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, key = node.flow(), uid_hash(THEN)
    flow.prepare(key, 1)
    flow.classify(key, 1)
    made = report(flow, THEN, monkeypatch)
    assert made.lesions is not None
    assert str(made.lesions.reason) == "the step that outlines did not end"


def test_a_device_that_is_away_is_tried_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> Any:
        raise TryLater("no memory")

    monkeypatch.setattr(lesions, "draw", away)
    flow, key = node.flow(), uid_hash(THEN)
    flow.prepare(key, 1)
    with pytest.raises(TryLater):
        flow.outline(key, 1)
    assert not (node.work(THEN) / "lesions.json").exists()


def test_objects_that_cannot_be_written_with_lesions_are_without(
    node: Node, monkeypatch: pytest.MonkeyPatch, ungraded: None
) -> None:
    flow = node.flow()
    steps(flow, THEN)
    call = flow._reader.call

    def stumbling(returns: Any, function: Any, *args: Any) -> Any:
        if function is report_stage.write and args[0].maps is not None:
            raise Unforeseen("KeyError", "segmentation.py:7")
        return call(returns, function, *args)

    monkeypatch.setattr(flow._reader, "call", stumbling)
    assert flow.report(uid_hash(THEN), 1, None, SECONDS, 1.7e9) == "present"
    signal = [path.name for path in node.work(THEN).glob("full/*.dcm")]
    assert signal
    assert not any("seg" in name for name in signal)


@pytest.mark.timeout(300)
def test_work_ahead_makes_the_same_result(
    node: Node, monkeypatch: pytest.MonkeyPatch, ungraded: None
) -> None:
    """Compared with the earlier visit and kept only when the study is complete."""
    steps(node.flow(), THEN)
    steps(node.flow(), NOW)
    plain = report(node.flow(), NOW, monkeypatch)
    shutil.rmtree(node.work(NOW))
    shutil.rmtree(node.data / "visits" / uid_hash(NOW))
    flow, study = node.flow(), node.studies[uid_hash(NOW)]
    flow.ahead.begin(study)
    assert flow.ahead.outlined(study) is not None
    assert kept.known(node.data, study.key) is None, "nothing is kept of what may still grow"
    used = metrics.AHEAD.labels("used")._value.get()
    with monkeypatch.context() as idle:
        idle.setattr(flow, "_prepared", None)
        idle.setattr(flow, "_outlined", None)
        idle.setattr(flow, "_classified", None)
        seconds = steps(flow, NOW)
    assert seconds.keys() == {"outline", "compare"} | {"grading"} & seconds.keys()
    assert metrics.AHEAD.labels("used")._value.get() == used + 1
    ahead = report(flow, NOW, monkeypatch)
    assert ahead.lesions == plain.lesions
    assert ahead.maps is not None
    assert plain.maps is not None
    assert ahead.maps.numbers.tobytes() == plain.maps.numbers.tobytes()
    assert ahead.finding is not None
    assert ahead.finding.decision == plain.finding.decision  # type: ignore[union-attr]
    assert kept.known(node.data, study.key) is not None


@pytest.mark.timeout(300)
def test_an_image_that_comes_late_is_in_the_result(
    node: Node, monkeypatch: pytest.MonkeyPatch, ungraded: None
) -> None:
    flow, study = node.flow(), node.studies[uid_hash(NOW)]
    early = replace(study, paths=study.paths[:-2])
    flow.ahead.begin(early)
    assert flow.ahead.classified(early) is not None
    flow.ahead.begin(early)  # again, as nothing is kept of what was handed out
    steps(flow, NOW)
    made = report(flow, NOW, monkeypatch)
    assert made.slices is not None
    assert len(made.slices.frames) == len(study.paths)
    assert made.maps is not None
    assert made.maps.labels.shape[2] == len(study.paths)

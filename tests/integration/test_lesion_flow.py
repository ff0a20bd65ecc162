"""Two visits of one person through the steps: outlined, compared, kept, forgotten."""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from msnode import classify, lesions
from msnode.cli.lesion_export import export
from msnode.config import Classify, Config, Folder, Retention
from msnode.deliver.deliveries import Deliveries
from msnode.errors import MsnodeError, NotAnalysable
from msnode.flow import Flow
from msnode.lesions import cache, kept
from msnode.records.images import Study
from msnode.records.lesions import LesionFinding
from msnode.records.sentences import Sentence
from msnode.retention import expiry
from msnode.retention.forget import forget
from msnode.sample import TABRIZ
from msnode.sample.dicom_series import study_uid
from msnode.store.database import open_database, results, studies
from msnode.store.schema import migrate
from msnode.twin import Twin
from tests.acceptance.small_model import small_model
from tests.flows import register
from tests.integration.lesion_node import outlining_once
from tests.unit.receive.datasets import rows

DATES = ("20230115", "20240115")


@dataclass
class Hospital:
    """A node's steps, and the studies that have been through them."""

    flow: Flow
    database: sa.Engine
    data: Path
    studies: list[Study]

    def run(self, study: Study) -> str:
        """Take a study through everything but its delivery."""
        return self.report(study, self.outline(study))

    def outline(self, study: Study) -> dict[str, float]:
        """The steps before the classifier's."""
        assert self.flow.prepare(study.key, study.generation)["reason"] is None
        return self.flow.outline(study.key, study.generation)["seconds"]

    def report(self, study: Study, seconds: dict[str, float]) -> str:
        """Those after."""
        assert self.flow.classify(study.key, study.generation)["reason"] is None
        return self.flow.report(study.key, study.generation, None, seconds, time.time())

    def finding(self, study: Study) -> LesionFinding:
        return cache.load_finding(self.work(study))

    def work(self, study: Study) -> Path:
        return self.data / "work" / study.key / str(study.generation)

    def text(self, study: Study) -> str:
        """Of the readable report."""
        return pydicom.dcmread(self.work(study) / "standard" / "readable.dcm").to_json()


@pytest.fixture(scope="module", autouse=True)
def _outlining_once() -> Iterator[None]:
    with outlining_once():
        yield


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("visits")
    visits = [
        replace(TABRIZ, identity=replace(TABRIZ.identity, study_uid=study_uid(d), study_date=d))
        for d in DATES
    ]
    found = [
        Study(v.identity.study_uid, 1, "evidence", tuple(v.write(folder / d)), time.time())
        for v, d in zip(visits, DATES, strict=True)
    ]
    database = open_database(f"sqlite:///{folder / 'msnode.sqlite'}")
    migrate(database)
    for study in found:
        register(database, study)
    by_key = {study.key: study for study in found}
    inbox: Any = SimpleNamespace(study=lambda key, _: by_key[key], finish=lambda *_: None)
    model = Classify(small_model(folder / "model"), device="cpu")
    runner = classify.Runner(classify.load_bundle(model.bundle), model)
    pacs = Folder("pacs", folder=folder / "pacs", profile="standard")
    config = Config(data=folder / "data", destinations=(pacs,))
    bundle = lesions.load(lesions.SHIPPED)
    deliveries, twin = Deliveries(database), Twin(database)
    flow = Flow(config, inbox, runner, deliveries, twin, bundle)
    one = Hospital(flow, database, config.data, found)
    # both wait for their reports when the later one is compared, as in a backlog
    for study, seconds in [(study, one.outline(study)) for study in found]:
        one.report(study, seconds)
    yield one
    flow.stop()
    runner.close()
    database.dispose()


def test_the_first_visit_has_lesions_and_nothing_to_compare_with(hospital: Hospital) -> None:
    first = hospital.studies[0]
    finding = hospital.finding(first)
    assert finding.reason is None
    assert len(finding.lesions) > 5
    assert finding.lesions[0].identity == f"{first.key}/1"
    assert finding.comparison.status == "no_prior"
    assert [grade.put for grade in finding.grades] == [10, 10, 10]
    assert "No earlier scan to compare with" in hospital.text(first)


def test_the_same_scan_a_year_later_shows_no_change(hospital: Hospital) -> None:
    first, second = (hospital.finding(study) for study in hospital.studies)
    told = second.comparison
    assert (told.status, told.days) == ("compared", 365)
    assert {one.change for one in told.changes} == {"unchanged"}
    assert [one.identity for one in second.lesions] == [one.identity for one in first.lesions]
    [row] = [r for r in rows(hospital.database, results) if r["study_date"] == DATES[1]]
    assert row["lesion_count"] == len(second.lesions)
    assert row["comparison"] == "compared"
    assert (row["new_lesions"], row["enlarging_lesions"]) == (0, 0)
    assert row["prior_date"] == DATES[0]
    folder = hospital.work(hospital.studies[1]) / "standard"
    assert (folder / "seg.dcm").exists()
    assert "Since 2023-01-15 (365 days): no new lesion" in hospital.text(hospital.studies[1])


def test_the_later_report_refers_to_the_earlier_one_as_it_was_written(hospital: Hospital) -> None:
    folders = [hospital.work(study) / "standard" for study in hospital.studies]
    for name in ("sr", "readable"):
        first, second = (pydicom.dcmread(folder / f"{name}.dcm") for folder in folders)
        assert "PertinentOtherEvidenceSequence" not in first
        [study] = second.PertinentOtherEvidenceSequence
        [series] = study.ReferencedSeriesSequence
        [reference] = series.ReferencedSOPSequence
        document = pydicom.dcmread(folders[0] / "sr.dcm")
        assert study.StudyInstanceUID == document.StudyInstanceUID
        assert series.SeriesInstanceUID == document.SeriesInstanceUID
        assert reference.ReferencedSOPInstanceUID == document.SOPInstanceUID
    assert not (folders[0] / "course.dcm").exists()
    assert (folders[1] / "course.dcm").exists()


def test_the_later_report_tells_the_course_and_the_earlier_one_nothing_of_it(
    hospital: Hospital,
) -> None:
    first, second = hospital.studies
    ml = hospital.finding(first).ml
    assert f"{DATES[0][:4]}-01-15: lesion volume {ml:.1f} ml" in hospital.text(second)
    assert "lesion volume" not in hospital.text(first)
    kept_regions = [json.loads(str(r["lesion_regions"])) for r in rows(hospital.database, results)]
    assert [sum(one.values()) for one in kept_regions] == [pytest.approx(ml, abs=1e-3)] * 2


def test_what_is_kept_reads_back_as_it_was(hospital: Hospital) -> None:
    study = hospital.studies[0]
    known = kept.known(hospital.data, study.key)
    assert known is not None
    visit = kept.load(hospital.data, known)
    maps = cache.load_maps(hospital.work(study), visit.voxels)
    assert (visit.found.labels == maps.labels).all()
    assert (visit.found.numbers == maps.numbers).all()
    assert known.lesions == hospital.finding(study).lesions
    assert known.study_date == DATES[0]
    size = sum(path.stat().st_size for path in (hospital.data / "visits" / study.key).rglob("*"))
    assert size < 8_000_000


def test_all_lesions_go_into_one_file(hospital: Hospital, tmp_path: Path) -> None:
    table, values = tmp_path / "lesions.csv", tmp_path / "lesions.json"
    counts = [len(hospital.finding(study).lesions) for study in hospital.studies]
    assert export(hospital.data, table) == export(hospital.data, values) == sum(counts)
    with table.open(newline="") as file:
        written = list(csv.DictReader(file))
    later = [row for row in written if row["study_date"] == DATES[1]]
    assert len(later) == counts[1]
    assert {row["change"] for row in later} == {"unchanged"}
    assert {row["days"] for row in later} == {"365"}
    assert {row["identity"] for row in written} == {row["identity"] for row in later}
    assert [str(row["mm3"]) for row in json.loads(values.read_text())] == [
        row["mm3"] for row in written
    ]
    with pytest.raises(MsnodeError, match="keeps no visit"):
        export(tmp_path, table)


def test_a_step_that_is_repeated_says_the_same(hospital: Hospital) -> None:
    study = hospital.studies[1]
    before = hospital.finding(study)
    (hospital.work(study) / cache.MAPS).unlink()
    hospital.flow.report(study.key, 1, None, {}, 1_700_000_000.0)
    assert hospital.finding(study) == before
    assert (hospital.work(study) / cache.MAPS).exists()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotAnalysable(Sentence("nothing_bright")), "there is nothing bright in the images"),
        (KeyError("x"), "unexpected KeyError at "),
    ],
)
def test_outlining_that_fails_costs_no_result(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(lesions, "draw", failing)
    study = hospital.studies[0]
    assert hospital.run(study) != "not_analysed"
    finding = hospital.finding(study)
    assert reason in str(finding.reason)
    assert not finding.lesions
    assert "not outlined" in hospital.text(study)


def test_a_comparison_that_fails_costs_no_lesion(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(lesions, "compare", failing)
    monkeypatch.setattr(lesions, "grade", failing)
    study = hospital.studies[1]
    hospital.run(study)
    finding = hospital.finding(study)
    assert finding.lesions
    assert finding.grades == ()
    assert finding.comparison.status == "not_compared"
    assert "ZeroDivisionError" in str(finding.comparison.reason)


def test_a_kept_visit_goes_by_its_own_rule_and_with_its_study(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last: it deletes."""
    monkeypatch.setattr(lesions, "grade", lambda *_: ())  # saves the time
    with hospital.database.begin() as connection:
        connection.execute(studies.update().values(state="done", generation=0))
    forever = Retention(images_days=None, results_days=None)
    for days, expected in ((None, []), (1.0, ["visits", "visits"])):
        rules = replace(forever, visits_days=days)
        retention = expiry.Retention(hospital.database, hospital.data, rules, set)
        assert [item.kind for item in retention.apply()] == expected
    assert not list((hospital.data / "visits").glob("*"))
    study = hospital.studies[0]
    hospital.run(study)
    assert kept.known(hospital.data, study.key) is not None
    forget(hospital.database, hospital.data, study.study_instance_uid)
    assert not (hospital.data / "visits" / study.key).exists()

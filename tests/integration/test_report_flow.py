"""The flow writes the objects that destinations want, once for those that want the same."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import (
    ComprehensiveSRStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from msnode import metrics, report
from msnode.config import Config, Folder, Form
from msnode.confined import Confined
from msnode.deliver.deliveries import Deliveries
from msnode.errors import Unforeseen
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.records.results import Report
from msnode.store.database import open_database
from msnode.store.schema import migrate
from msnode.twin import Entry, Twin
from tests import reports
from tests.flows import leave, register


@dataclass
class Node:
    """A data folder with one study, which flows of different settings work on."""

    database: sa.Engine
    folder: Path
    made: Report
    study: Study

    def flow(self, *destinations: Folder) -> Flow:
        studies: Any = SimpleNamespace(study=lambda *_: self.study)
        runner: Any = SimpleNamespace(info=self.made.model)
        config = Config(data=self.folder, destinations=destinations)
        return Flow(config, studies, runner, Deliveries(self.database), Twin(self.database))

    def report(self, flow: Flow) -> str:
        return flow.report(self.study.key, 1, None, {}, 1_700_000_000.0)

    def deliver(self, flow: Flow, name: str) -> bool:
        return flow.deliver(self.study.key, 1, name, 1)["delivered"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    made = reports.synthetic(tmp_path, 3)
    study = Study(made.study_instance_uid, 1, "evidence", made.evidence, time.time())
    leave(made, tmp_path / "data/work" / study.key / "1")
    register(database, study)
    yield Node(database, tmp_path / "data", made, study)
    database.dispose()


def classes(folder: Path) -> list[str]:
    """SOP Classes of the objects in a folder."""
    return sorted(str(pydicom.dcmread(path).SOPClassUID) for path in folder.glob("*.dcm"))


def test_the_same_options_are_written_once(node: Node, tmp_path: Path) -> None:
    one = Folder("one", folder=tmp_path / "one", profile="standard")
    other = replace(one, name="other", folder=tmp_path / "other")
    third = replace(one, name="third", folder=tmp_path / "third", form=Form(overlay="multi-frame"))
    flow = node.flow(one, other, third)
    assert node.report(flow) == "present"
    work = node.folder / "work" / node.study.key / "1"
    assert {path.name for path in work.iterdir() if path.is_dir()} == {
        "standard", "standard-multi-frame",
    }  # fmt: skip
    assert all(node.deliver(flow, name) for name in ("one", "other", "third"))
    assert classes(tmp_path / "one") == classes(tmp_path / "other")
    assert classes(tmp_path / "one").count(SecondaryCaptureImageStorage) == 1 + 3
    assert MultiFrameTrueColorSecondaryCaptureImageStorage in classes(tmp_path / "third")


def test_a_study_is_delivered_in_the_form_that_it_was_reported_in(
    node: Node, tmp_path: Path
) -> None:
    before = Folder("pacs", folder=tmp_path / "pacs")
    node.report(node.flow(before))
    after = replace(before, profile="full", form=Form("comprehensive-3d"))
    assert node.deliver(node.flow(after), "pacs")
    assert classes(tmp_path / "pacs") == [SecondaryCaptureImageStorage, ComprehensiveSRStorage]


def test_a_revised_result_names_what_the_destination_got(node: Node, tmp_path: Path) -> None:
    """Not what it would have got had its settings always been what they are now."""
    before = Folder("pacs", folder=tmp_path / "pacs")
    node.report(node.flow(before))
    first = pydicom.dcmread(node.folder / "work" / node.study.key / "1/minimal/sr.dcm")
    node.study = replace(node.study, generation=2)
    leave(node.made, node.folder / "work" / node.study.key / "2")
    after = replace(before, profile="standard", form=Form("comprehensive-3d"))
    flow = node.flow(after, replace(before, name="new", profile="full"))
    flow.report(node.study.key, 2, None, {}, 1_700_000_001.0)
    folder = node.folder / "work" / node.study.key / "2"
    second = pydicom.dcmread(folder / after.objects / "sr.dcm")
    [series] = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    [document] = series.ReferencedSOPSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert document.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert document.ReferencedSOPClassUID == ComprehensiveSRStorage
    for never in (folder / after.objects / "readable.dcm", folder / "full" / "sr.dcm"):
        assert "PredecessorDocumentsSequence" not in pydicom.dcmread(never)


def test_an_error_that_nobody_foresaw_is_in_the_report(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, first = Confined.call, node.made.evidence[-1]

    def stumbling(self: Confined, returns: Any, function: Any, *args: Any) -> Any:
        if function is report.write and args[0].finding is not None:
            raise Unforeseen("KeyError", "montage.py:7")
        if function is report.study_date and args[0] == first:
            raise Unforeseen("RecursionError", "header.py:7")
        return call(self, returns, function, *args)

    monkeypatch.setattr(Confined, "call", stumbling)
    node.made = replace(node.made, header=first)
    faults = metrics.FAULTS.labels("kept_back")
    before = faults._value.get()
    assert node.report(node.flow(Folder("pacs", folder=tmp_path / "pacs"))) == "not_analysed"
    [entry] = Twin(node.database).history("p")
    assert entry.study_date == "20250102"
    assert faults._value.get() == before + 1
    assert "the result was kept back: KeyError at montage.py:7" in str(entry.reason)
    assert len(list(node.folder.glob("work/*/1/minimal/*.dcm"))) == 2


def test_nothing_to_deliver_does_not_count_as_delivered(node: Node, tmp_path: Path) -> None:
    known = Folder("known", folder=tmp_path / "known")
    node.report(node.flow(known))
    late = Folder("late", folder=tmp_path / "late", profile="standard")
    assert not node.deliver(node.flow(known, late), "late")


def test_an_earlier_study_of_the_patient_is_in_the_report(node: Node, tmp_path: Path) -> None:
    earlier = Study("1.2.3", 1, "evidence", (), 0.0)
    register(node.database, earlier)
    entry = Entry(
        earlier.key,
        1,
        "absent",
        0.2,
        "absent",
        None,
        "0" * 64,
        1.0,
        "",
        "20230503",
        "hybrid 0.9",
        0.5,
    )
    Twin(node.database).record(entry)
    flow = node.flow(Folder("pacs", folder=tmp_path / "pacs", profile="standard"))
    node.report(flow)
    [readable] = node.folder.glob("work/*/1/standard/readable.dcm")
    assert "2023-05-03, Absent, 20%, hybrid 0.9" in pydicom.dcmread(readable).to_json()
    mine = Twin(node.database).history("p")[-1]
    assert (mine.study_date, mine.model, mine.threshold) == ("20250102", "hybrid 1.0.0", 0.5)


def test_a_study_that_failed_is_counted_once(node: Node) -> None:
    """Also where the database is away at its end, and the step is repeated."""
    failed = metrics.STUDIES.labels("failed")
    before, flow = failed._value.get(), node.flow()
    away = [sa.exc.OperationalError("UPDATE", {}, Exception("away"))] * 2

    def finish(*_: object) -> None:
        if away:
            raise away.pop()

    inbox: Any = SimpleNamespace(finish=finish)
    flow._studies = inbox
    for _ in range(2):
        with pytest.raises(sa.exc.OperationalError):
            flow.fail(node.study.key, 1)
    flow.fail(node.study.key, 1)
    assert failed._value.get() == before + 1

"""Verified reports come by C-STORE, or are fetched from the PACS, and each is one verdict."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    generate_uid,
)

from msnode import config, metrics, report
from msnode.config import Complete, Describe, DicomPeer, Form
from msnode.confined import Confined
from msnode.deliver.c_store import send as c_store
from msnode.fetch.way import Taking
from msnode.receive.c_get_scu import receiver as taking_images
from msnode.receive.dicomweb.wado_body import body_receiver
from msnode.records.judgement import Judgement, standing_of, truth
from msnode.records.results import Report
from msnode.records.uid_hash import uid_hash
from msnode.service.report_search import ReportSearch
from msnode.service.returned_documents import ReturnedDocuments
from msnode.store import judgements
from msnode.store.database import receipts, results, studies
from tests import reports
from tests.acceptance import archives, peers
from tests.integration.listening import Receiver, send, write
from tests.returned_srs import (
    CONCLUSION,
    MS,
    NOT_MS,
    answer,
    reference,
    report_on,
    signed_copy,
    verified,
)

FEEDBACK = config.Feedback(
    codes=(
        config.ReportCode("121077 DCM", "24700007 SCT", "ms"),
        config.ReportCode("121077 DCM", "260385009 SCT", "not_ms"),
    )
)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our SR of a result that says *present*."""
    folder = tmp_path_factory.mktemp("study")
    made: Report = reports.synthetic(folder)
    report.write(made, Describe(), "minimal", folder / "out", Form())
    return folder / "out" / "sr.dcm"


@dataclass
class Node:
    """A listener, and what reads documents behind its back."""

    receiver: Receiver
    ours: Dataset
    folder: Path

    @property
    def key(self) -> str:
        return uid_hash(str(self.ours.StudyInstanceUID))

    def documents(self) -> ReturnedDocuments:
        """Anew, as after a restart."""
        inbox = self.receiver.inbox
        glance = Confined(config.Decode(), ["msnode.report"])
        return ReturnedDocuments(
            FEEDBACK, self.receiver.engine, self.receiver.folder, inbox.secret, glance
        )

    def come(self, *documents: Dataset) -> list[Path]:
        """Documents come by C-STORE, and are read."""
        self.folder.mkdir(exist_ok=True)
        paths = [write(self.folder / f"{one.SOPInstanceUID}.dcm", one) for one in documents]
        here = DicomPeer("node", "MSNODE", *self.receiver.peer[:1], self.receiver.listener.port)
        assert all(one.delivered for one in c_store(paths, here, "PACS"))
        self.read()
        return paths

    def read(self) -> None:
        self.receiver.inbox.flush()
        documents = self.documents()
        while documents.read():
            pass

    def on_record(self) -> list[Judgement]:
        with self.receiver.engine.connect() as connection:
            return judgements.every(connection)

    def states(self) -> dict[tuple[str, str], int]:
        with self.receiver.engine.connect() as connection:
            return judgements.states(connection)


def delivered(receiver: Receiver, ours: Dataset, destination: str = "pacs") -> None:
    """The study has a result that the PACS has got."""
    key, now = uid_hash(str(ours.StudyInstanceUID)), time.time()
    study = {"study_key": key, "study_instance_uid": str(ours.StudyInstanceUID), "generation": 1,
             "patient_key": "", "state": "done", "first_at": now, "last_at": now}  # fmt: skip
    result = {
        "study_key": key, "generation": 1, "outcome": "present", "decision": "present",
        "probability": 0.9, "model_digest": "d", "created_at": now, "folder": "w",
    }  # fmt: skip
    receipt = {
        "destination": destination,
        "sop_instance_uid": str(ours.SOPInstanceUID),
        "study_key": key,
        "generation": 1,
        "delivered": True,
        "attempts": 1,
        "detail": "",
        "retry": False,
        "updated_at": now,
    }
    with receiver.engine.begin() as connection:
        connection.execute(studies.insert(), study)
        connection.execute(results.insert(), result)
        connection.execute(receipts.insert(), receipt)


@contextmanager
def node_in(folder: Path, ours: Path, url: str | None = None, **receive: Any) -> Iterator[Node]:
    data = folder / "data"
    data.mkdir(parents=True)
    usual: dict[str, Any] = {"address": "127.0.0.1", "port": 0, "min_free_bytes": 0}
    settings = config.Receive(**(usual | receive))
    receiver = Receiver(url or f"sqlite:///{data / 'msnode.sqlite'}", data, settings)
    try:
        dataset = pydicom.dcmread(ours)
        delivered(receiver, dataset)
        yield Node(receiver, dataset, folder / "sent")
    finally:
        receiver.close()


@pytest.fixture
def node(tmp_path: Path, ours: Path) -> Iterator[Node]:
    with node_in(tmp_path, ours) as made:
        yield made


def test_both_databases_keep_a_verified_report_as_one_verdict(
    database_url: str, tmp_path: Path, ours: Path
) -> None:
    with node_in(tmp_path, ours, database_url) as node:
        node.come(verified(report_on(node.ours, answer(CONCLUSION, NOT_MS))))
        [one] = node.on_record()
        told = (one.study_key, one.generation, one.state, one.judged)
        assert told == (node.key, 1, "counted", "not_ms")
        assert one.reader
        assert "lee" not in one.reader, "the reader's name stays out of the database"


@pytest.mark.parametrize(
    "sop_class",
    [BasicTextSRStorage, EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage],
)
def test_any_sr_storage_class_is_read_and_none_starts_an_analysis(
    node: Node, sop_class: str
) -> None:
    node.come(verified(report_on(node.ours, answer(CONCLUSION, MS), sop_class=sop_class)))
    assert [one.judged for one in node.on_record()] == ["ms"]
    rule, later = Complete(), time.time() + 10_000
    assert node.receiver.inbox.complete(later, rule, lambda _: True) == []
    with node.receiver.engine.connect() as connection:
        assert set(connection.scalars(sa.select(studies.c.state))) == {"done"}


def test_the_same_document_again_and_after_a_restart_is_one_verdict(node: Node) -> None:
    document = verified(report_on(node.ours, answer(CONCLUSION, MS)))
    node.come(document)
    node.come(document)
    document.SeriesDescription = "other content under the same UID"
    node.come(document)
    assert len(node.on_record()) == 1


def test_a_newer_document_replaces_and_the_older_one_may_come_later(node: Node) -> None:
    first = verified(report_on(node.ours, answer(CONCLUSION, MS)), at="20240116100000")
    second = verified(report_on(node.ours, answer(CONCLUSION, NOT_MS)), at="20240117100000")
    second.PredecessorDocumentsSequence = [reference(first)]
    node.come(second)
    node.come(first)
    said = node.on_record()
    assert len(said) == 2
    assert [one.judged for one in standing_of(said)] == ["not_ms"]
    assert truth(said, {1: "present"}) == "absent"


def test_our_own_results_and_what_nobody_signed_are_no_verdicts(node: Node, ours: Path) -> None:
    assert "Success" in send(node.receiver, ours)
    ours_signed_in_place = verified(pydicom.dcmread(ours))
    copy = signed_copy(node.ours)
    copy.VerificationFlag = "UNVERIFIED"
    node.come(ours_signed_in_place, copy, report_on(node.ours, answer(CONCLUSION, MS)))
    assert node.states() == {("unverified", ""): 2}
    assert truth(node.on_record(), {1: "present"}) == "open"


def test_our_result_signed_by_a_radiologist_counts(node: Node) -> None:
    node.come(signed_copy(node.ours))
    assert truth(node.on_record(), {1: "present"}) == "present"


def test_what_cannot_be_understood_is_named_and_counted_and_the_rest_goes_on(node: Node) -> None:
    def counted() -> float:
        return float(metrics.DOCUMENTS.labels("unclear", "not_understood")._value.get())

    before = counted()
    strange = verified(report_on(node.ours, answer(CONCLUSION, ("1", "99X"))))
    both = verified(report_on(node.ours, answer(CONCLUSION, MS), answer(CONCLUSION, NOT_MS)))
    others = verified(report_on(node.ours, answer(CONCLUSION, MS)))
    del others.CurrentRequestedProcedureEvidenceSequence
    fine = verified(report_on(node.ours, answer(CONCLUSION, MS)))
    node.come(strange, both, others, fine)
    assert node.states() == {
        ("unclear", "not_understood"): 1, ("unclear", "contradictory"): 1,
        ("unrelated", ""): 1, ("counted", ""): 1,
    }  # fmt: skip
    assert counted() == before + 1


def test_a_file_that_cannot_be_parsed_is_unclear_and_looked_at_once(node: Node) -> None:
    document = verified(report_on(node.ours, answer(CONCLUSION, MS)))
    node.come(report_on(node.ours))
    self_path = write(node.folder / "broken.dcm", document)
    send(node.receiver, self_path)
    [place] = [
        node.receiver.folder / str(row.path)
        for row in node.receiver.rows()
        if row.sop_instance_uid == document.SOPInstanceUID
    ]
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:700] + b"\xff" * 900)
    node.read()
    node.read()
    assert node.states()[("unclear", "unreadable")] == 1


def test_another_patients_report_is_no_verdict(node: Node) -> None:
    with node.receiver.engine.begin() as connection:
        connection.execute(studies.update().values(patient_key="f" * 32))
    document = verified(report_on(node.ours, answer(CONCLUSION, MS)))
    document.StudyInstanceUID = generate_uid()  # in its own study nobody would take it
    document.PatientID = "somebody-else"
    node.come(document)
    assert node.states() == {("unclear", "other_patient"): 1}


def test_a_later_scans_report_that_names_our_result_does_not_judge_it(node: Node) -> None:
    document = verified(report_on(node.ours, answer(CONCLUSION, MS)))
    document.StudyInstanceUID = generate_uid()
    evidence = document.CurrentRequestedProcedureEvidenceSequence
    del document.CurrentRequestedProcedureEvidenceSequence
    document.PertinentOtherEvidenceSequence = evidence
    node.come(document)
    assert node.states() == {("unrelated", ""): 1}


def searching(node: Node, port: int, title: str, by: Any) -> ReportSearch:
    """What asks the PACS."""
    peer = DicomPeer("pacs", title, "127.0.0.1", port)
    inbox, receive = node.receiver.inbox, config.Receive(min_free_bytes=0)
    taking = Taking(taking_images(receive, inbox), body_receiver(receive, inbox))
    source = config.ReportSource("pacs", by=by)
    return ReportSearch(
        source, peer, node.receiver.engine, node.receiver.folder, archives.ASKER, taking,
        node.receiver.trail,
    )  # fmt: skip


Started = Callable[..., Any]


@pytest.mark.parametrize("by", ["c-get", "c-move"])
def test_the_pacs_is_asked_for_reports_and_only_for_what_is_not_here(
    by: str, tmp_path: Path, ours: Path
) -> None:
    port = peers.free_port()
    callers = (config.Caller("ORTHANC"),)
    with (
        peers.orthanc(tmp_path / "pacs", node_port=port) as pacs,
        node_in(tmp_path, ours, port=port, callers=callers) as node,
    ):
        document = verified(report_on(node.ours, answer(CONCLUSION, NOT_MS)))
        path = write(tmp_path / "report.dcm", document)
        peer = DicomPeer("pacs", pacs.ae_title, "127.0.0.1", pacs.port)
        assert all(one.delivered for one in c_store([path, ours], peer, archives.ASKER))
        search = searching(node, pacs.port, pacs.ae_title, by)
        assert search.ask()
        assert not search.ask(), "a study is asked for again after every_s only"
        peers.wait(lambda: node.receiver.rows(), 5, "the report")
        node.read()
        assert [(one.judged, one.state) for one in node.on_record()] == [("not_ms", "counted")]
        assert [row[0] for row in node.receiver.rows()] == [document.SOPInstanceUID], "not ours"
        before = len(node.receiver.audited())
        assert searching(node, pacs.port, pacs.ae_title, by).ask(), "as after a restart"
        node.read()
        assert len(node.on_record()) == 1
        peers.wait(lambda: len(node.receiver.audited()) > before, 5, "the query in the audit trail")
        trail = "\n".join(node.receiver.audited()[before:])
        assert 'csd-code="110104"' not in trail, "nothing was transferred again"


def test_a_pacs_that_does_not_answer_costs_nothing_else(node: Node) -> None:
    search = searching(node, peers.free_port(), "PACS", "c-get")
    before = metrics.REPORT_SEARCHES.labels("failed")._value.get()
    assert search.ask()
    assert metrics.REPORT_SEARCHES.labels("failed")._value.get() == before + 1
    assert not search.ask()

"""The Conformance Statement says what the program does."""

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner

from msnode import report
from msnode.cli.main import main
from msnode.cli.statement import OBJECTS, statement
from msnode.config import Caller, Config, Describe, DicomPeer, Form, Receive
from msnode.deliver import peer_answers
from msnode.receive.dicom.sop_classes import TRANSFER_SYNTAXES, accepted
from msnode.report.profiles import PROFILES
from tests.lesion_reports import compared, painted
from tests.reports import synthetic
from tests.unit.report.test_course_picture import WHOLE

DOCUMENT = Path(__file__).parents[3] / "docs" / "conformance.md"


def test_the_document_is_what_the_program_prints() -> None:
    printed = CliRunner().invoke(main, ["conformance"])
    assert printed.exit_code == 0, printed.output
    assert printed.output == DOCUMENT.read_text(), "msnode conformance >docs/conformance.md"


def test_a_sites_own_statement_has_its_settings(tmp_path: Path) -> None:
    receive = Receive(ae_title="MSAI", port=104, callers=(Caller("SCANNER1"),), max_pdu=65536)
    peer = DicomPeer("pacs", "PACS", "pacs.example.org", profile="full", verify="find")
    text = statement(Config(data=tmp_path, receive=receive, destinations=(peer,)), " of FILE")
    assert "| AE title, address, port | MSAI, 0.0.0.0, 104 (`receive`) |" in text
    assert "| who may call | SCANNER1 |" in text
    assert "| longest PDU accepted, bytes | 65536 |" in text
    assert "| pacs | PACS | no | full | find |" in text


def test_every_class_and_syntax_that_is_accepted_is_listed() -> None:
    text = statement(Config(receive=Receive(accept=("CTImageStorage",))))
    for one in (*accepted(["CTImageStorage"]), *TRANSFER_SYNTAXES):
        assert f"| {one} |" in text
    assert "| CT Image Storage | 1.2.840.10008.5.1.4.1.1.2 | kept |" in text


@pytest.mark.parametrize(
    ("status", "row"), [(0xB007, "stored"), (0xA700, "later"), (0xC123, "not")]
)
def test_an_answer_is_in_the_row_of_its_meaning(status: int, row: str) -> None:
    text = statement(Config())
    (line,) = [one for one in text.splitlines() if "counts as stored" in one]
    spans = [span.strip().split("–") for span in line.split("|")[1].split(",")]
    inside = any(int(span[0], 16) <= status <= int(span[-1], 16) for span in spans)
    assert inside is (row == "stored")
    assert (peer_answers.outcome(status) == "delivered") is inside


def test_the_objects_are_of_the_classes_that_are_listed(tmp_path: Path) -> None:
    made = compared(painted(synthetic(tmp_path, 12)))
    made = replace(made, timeline=WHOLE)
    text = statement(Config())
    kinds = set()
    for number, form in enumerate((Form(), Form(sr="comprehensive-3d", overlay="multi-frame"))):
        for path in report.write(made, Describe(), "full", tmp_path / str(number), form):
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            kind = path.stem.split("-")[0]
            classes = OBJECTS[kind]
            assert dataset.SOPClassUID == classes[min(number, len(classes) - 1)]
            assert f"| {dataset.Modality} | {dataset.SeriesNumber} |" in text
            assert f"{dataset.file_meta.ImplementationClassUID}, " in text
            kinds.add(kind)
    assert kinds == set(OBJECTS) == set(PROFILES["full"])

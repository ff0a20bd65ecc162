"""What is kept out: counted each time, told once a minute."""

import logging
from contextlib import closing
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from prometheus_client import REGISTRY
from pydicom.uid import MRImageStorage, RawDataStorage

from msnode import audit, config
from msnode.receive.access import log_throttle
from msnode.receive.access.log_throttle import LogThrottle
from msnode.receive.access.refusals import Refusals
from msnode.receive.inbox.identity import Header
from msnode.receive.received_audit import ReceivedAudit


def test_the_first_of_a_kind_and_then_one_a_minute() -> None:
    now = 0.0
    events = LogThrottle(lambda: now)
    assert [events.count(key) for key in "abaa"] == [1, 1, 0, 0]
    now = 61.0
    assert [events.count(key) for key in "aab"] == [3, 0, 1]


def test_a_flood_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_throttle, "KEYS", 100)
    events = LogThrottle()
    assert all(events.count(number) == 1 for number in range(1000))
    assert len(events._seen) == 100


def trail(folder: Path) -> audit.Trail:
    return audit.open_trail(config.Config(data=folder), "serve")


def written(folder: Path) -> str:
    return (folder / "audit/msnode-serve.log").read_text()


def test_a_flood_is_one_line_and_one_alert(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = {"rule": "caller"}
    before = REGISTRY.get_sample_value("msnode_refusals_total", labels) or 0.0
    with caplog.at_level(logging.WARNING), closing(trail(tmp_path)) as opened:
        guard = Refusals(opened)
        for _ in range(500):
            guard.refuse("192.0.2.1", "EVIL\x1b[31m\n", "caller")
        guard.refuse("192.0.2.2", "EVIL", "max_associations")
    assert REGISTRY.get_sample_value("msnode_refusals_total", labels) == before + 500
    assert len(caplog.records) == 2
    assert "\x1b" not in caplog.text
    assert "caller='EVIL\\x1b[31m\\n'" in caplog.text
    assert written(tmp_path).count("Security Alert") == 1
    assert written(tmp_path).count('NetworkAccessPointID="192.0.2.1"') == 1


def summary(message: Element) -> tuple[str | None, ...]:
    """Action, outcome, event, study, numbers of instances and patient of a message."""
    event = message[0]
    study, patient = message.findall("ParticipantObjectIdentification")
    numbers = [item.get("NumberOfInstances", "") for item in study.iter("SOPClass")]
    return (
        event.get("EventActionCode"),
        event.get("EventOutcomeIndicator"),
        event[0].get("originalText"),
        study.get("ParticipantObjectID"),
        "+".join(numbers),
        patient.get("ParticipantObjectID"),
    )


def header(study: str, patient: str, sop_class: str) -> Header:
    return Header(sop_class, "1.2.3", study, "1.2.4", patient, "")


def test_a_transfer_has_a_begin_and_an_end_for_each_study(tmp_path: Path) -> None:
    with closing(trail(tmp_path)) as opened:
        tally = ReceivedAudit(opened, audit.Node("MRI1", "192.0.2.1"))
        for _ in range(3):
            tally.add(header("1.2.1", "P-1", MRImageStorage), "stored")
        tally.add(header("1.2.1", "P-1", RawDataStorage), "stored")
        tally.add(header("1.2.1", "P-1", MRImageStorage), "duplicate")
        tally.add(header("1.2.2", "P-2", MRImageStorage), "refused")
        tally.close()
        tally.close()
    seen = [summary(fromstring(line)) for line in written(tmp_path).splitlines()]
    begin, end = "Begin Transferring DICOM Instances", "DICOM Instances Transferred"
    assert seen == [
        ("E", "0", begin, "1.2.1", "", "P-1"),
        ("E", "0", begin, "1.2.2", "", "P-2"),
        ("C", "0", end, "1.2.1", "3+1", "P-1"),
        ("R", "0", end, "1.2.1", "1", "P-1"),
        ("R", "4", end, "1.2.2", "1", "P-2"),
    ]


def test_a_flood_of_refused_images_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = Refusals(audit.SILENT)
    with caplog.at_level(logging.WARNING):
        for _ in range(500):
            guard.refuse_instance("10.0.0.9", "MRI1", 0xA900, "StudyInstanceUID is missing")
        guard.refuse_instance("10.0.0.9", "MRI1", 0xA700, "Database unavailable")
    told = [record.message for record in caplog.records]
    assert [line.partition("status=")[2][:6] for line in told] == ["0xA900", "0xA700"]

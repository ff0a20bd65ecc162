"""What the log says of a destination that comes back, and of results that arrive."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from msnode.config import Folder
from msnode.deliver.deliveries import Deliveries, identify
from msnode.deliver.outages import Outages
from msnode.deliver.verification import Delivery
from msnode.store import database, schema
from tests.dicom import secondary_capture

KEY = "0123456789abcdef"


def test_a_destination_comes_back_once(caplog: pytest.LogCaptureFixture) -> None:
    outages = Outages()
    with caplog.at_level(logging.INFO):
        outages.note("pacs", failed=False)
        for _ in range(3):
            outages.note("pacs", failed=True)
        outages.note("archive", failed=False)
        assert caplog.text == ""
        for _ in range(2):
            outages.note("pacs", failed=False)
    (line,) = caplog.messages
    assert line == "destination=pacs takes results again after failures=3 seconds=0"


def test_the_log_says_when_a_result_is_delivered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = database.open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    schema.migrate(engine)
    path = tmp_path / "result.dcm"
    secondary_capture(SOPInstanceUID="2.25.7").save_as(path, enforce_file_format=True)
    blocked = tmp_path / "blocked"
    blocked.touch()
    away = Folder("archive", folder=blocked / "out")
    files = {identify(path): path}
    delivery = Delivery(away, KEY, 1, files, "MSNODE", 0.0)
    deliveries = Deliveries(engine)
    with caplog.at_level(logging.INFO):
        assert not deliveries.attempt(delivery, 1)["delivered"]
        caplog.clear()
        there = replace(delivery, destination=Folder("archive", folder=tmp_path / "out"))
        assert deliveries.attempt(there, 2)["delivered"]
    assert caplog.messages == [
        "destination=archive takes results again after failures=1 seconds=0",
        f"study={KEY} destination=archive generation=1 delivered objects=1 attempts=2",
    ]
    engine.dispose()

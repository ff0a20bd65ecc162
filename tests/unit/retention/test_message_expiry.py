"""Retention of HL7 v2 messages and orders; refused messages have a rule of their own."""

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode import config
from msnode.retention.expiry import DAY_S, Retention
from msnode.service.message_intake import MessageIntake
from msnode.store.hl7_tables import hl7_messages, orders
from tests.hl7_messages import PID, SECRET, message, msh, order


def test_messages_and_orders_go_when_they_are_old(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = MessageIntake(database, SECRET, "P", lambda: True)
    for one in (order(), message(msh(control="9"), PID)):
        intake.take(one, "HIS")
    rules = config.Retention(messages_days=90.0, quarantine_days=100.0)
    retention = Retention(database, tmp_path, rules, set)
    now, told = time.time(), []
    for days in (89, 91, 101):
        later = now + days * DAY_S
        monkeypatch.setattr("msnode.retention.expiry.time.time", lambda at=later: at)
        told.append([item.kind for item in retention.apply()])
    assert told == [[], ["messages"], ["refused"]]
    with database.connect() as connection:
        for table in (hl7_messages, orders):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0

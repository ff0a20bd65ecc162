"""`msnode hl7`: what could not be used is listed, shown and dropped; the list names nobody."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from msnode.cli.main import main
from msnode.service.message_intake import MessageIntake
from msnode.store.database import open_database
from msnode.store.hl7_tables import orders
from msnode.store.message_log import Outcome, expire, expired
from msnode.store.schema import migrate
from tests.hl7_messages import EDSS, OBR, PID, SECRET, add_study, message, msh, order


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node that got a message of each outcome."""
    (tmp_path / "data").mkdir()
    database = open_database(f"sqlite:///{tmp_path / 'data/msnode.sqlite'}")
    migrate(database)
    intake = MessageIntake(database, SECRET, "P", lambda: True)
    for one in (
        message(msh(control="BAD"), PID, OBR, EDSS.replace("2.0", "x")),
        message(msh("ADT^A01", "NONE"), PID),
        order(message_id="GOOD"),
    ):
        intake.take(one, "HIS")
    database.dispose()
    file = tmp_path / "msnode.yaml"
    file.write_text(f"data: {tmp_path / 'data'}\n")
    return file


def run(node: Path, *words: str) -> str:
    wide = {"COLUMNS": "300"}
    done = CliRunner(env=wide).invoke(main, ["hl7", *words, "--config", str(node)])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_refused_is_listed_shown_and_dropped(node: Path) -> None:
    (line,) = run(node, "list", "--json").splitlines()
    told = json.loads(line)
    assert (told["control_id"], told["outcome"], told["caller"]) == ("BAD", "refused", "HIS")
    assert told["faults"][0]["place"] == "OBX^1^5"
    table = run(node, "list", "--outcome", "all")
    for secret in ("4711", "DOE"):
        assert secret not in line + table
    assert "DOE^JANE" in run(node, "show", told["message_id"])
    assert "4711" not in (node.parent / "data/audit/msnode-twin.log").read_text()
    run(node, "drop", told["message_id"])
    assert "no such message" in run(node, "list")
    gone = CliRunner().invoke(main, ["hl7", "drop", told["message_id"], "--config", str(node)])
    assert (gone.exit_code, "no such message" in gone.output) == (1, True)


def test_what_would_steer_a_terminal_is_spelled_out(node: Path) -> None:
    database = open_database(f"sqlite:///{node.parent / 'data/msnode.sqlite'}")
    hostile = message(
        msh(control="\x1b[2JEVIL"), PID, OBR, "NTE|1||müde\x1b]0;x\x07\x9b\u202e", EDSS
    )
    MessageIntake(database, SECRET, "P", lambda: True).take(hostile.replace(b"2.0", b"x"), "HIS")
    database.dispose()
    every = [json.loads(line) for line in run(node, "list", "--json").splitlines()]
    evil = next(one["message_id"] for one in every if "EVIL" in one["control_id"])
    shown = run(node, "show", evil)
    assert "NTE|1||müde\\x1b]0;x\\x07\\x9b\\u202e\n" in shown
    for text in (shown, run(node, "list")):
        assert not set(text) & set("\x1b\x07\x9b\u202e\r")


def test_orders_are_listed_with_their_studies(node: Path) -> None:
    database = open_database(f"sqlite:///{node.parent / 'data/msnode.sqlite'}")
    key = add_study(database)
    add_study(database, "1" * 16, patient="9" * 32)
    database.dispose()
    told = run(node, "orders")
    assert all(word in told for word in ("stat", "24590-2", "sclerosis", key))
    assert "1" * 16 not in told, "of another patient"


def test_the_content_of_what_is_of_no_concern_is_not_there(node: Path) -> None:
    told = json.loads(run(node, "list", "--outcome", "ignored", "--json"))
    done = CliRunner().invoke(main, ["hl7", "show", told["message_id"], "--config", str(node)])
    assert (done.exit_code, "was not kept" in done.output) == (1, True)


def test_old_messages_and_orders_go_and_refused_ones_by_their_own_rule(node: Path) -> None:
    database = open_database(f"sqlite:///{node.parent / 'data/msnode.sqlite'}")
    kinds = (Outcome.USED, Outcome.IGNORED)
    with database.begin() as connection:
        assert expired(connection, 0.0, kinds) is None
        assert (expired(connection, 1e12, kinds) or 0) > 100
        expire(connection, 1e12, kinds)
        assert expired(connection, 1e12, kinds) is None
        left = connection.scalars(sa.select(sa.func.count()).select_from(orders)).one()
        assert left == 0
        assert expired(connection, 1e12, (Outcome.REFUSED,)) is not None
    database.dispose()

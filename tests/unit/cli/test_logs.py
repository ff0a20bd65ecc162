"""The log: when, with its zone, and what, for people or for programs."""

import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Literal

import pytest

from msnode.cli.logs import log_to_stderr

log = logging.getLogger("msnode.test")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a zone of its own; the handlers are pytest's again afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_times_have_a_zone(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(logging.INFO)
    log.info("study=%s delivered", "0123456789abcdef")
    line = capsys.readouterr().err
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:45"
    assert re.fullmatch(rf"{moment} INFO msnode.test study=0123456789abcdef delivered\n", line)


def test_a_json_line_has_the_words_of_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(logging.INFO, "json")
    log.warning("study=%s destination=%s detail=%r level=odd\nnext", "0123", "pacs", "no answer")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("time").endswith("+05:45")
    assert told == {
        "level": "WARNING",
        "logger": "msnode.test",
        "message": "study=0123 destination=pacs detail='no answer' level=odd\nnext",
        "study": "0123",
        "destination": "pacs",
        "detail": "no answer",
    }


def test_json_or_not_libraries_quote_no_patient(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(logging.INFO, "json")
    logging.getLogger("pydicom").error("Doe^Jane")
    logging.getLogger("msnode.test").debug("not wanted")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_is_told_by_class_and_place_and_not_by_its_words(
    form: Literal["text", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Uvicorn, DBOS and asyncio log what our code raised, and its words may quote a patient."""
    log_to_stderr(logging.INFO, form)
    name = "^".join(["Doe", "Jane"])  # the lines of code that are told do not hold it
    try:
        try:
            int(name)
        except ValueError as error:
            raise KeyError(name) from error
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    told = capsys.readouterr().err
    assert name not in told
    assert "ValueError" in told
    assert "KeyError" in told
    assert "test_logs.py" in told

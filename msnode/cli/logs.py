"""What goes to stderr while a command runs: lines for journald and people, or JSON for programs."""

import json
import logging
import re
import sys
import traceback
from datetime import datetime
from types import TracebackType
from typing import Literal

WORD = re.compile(r"(?<!\S)([a-z_]+)=('[^']*'|\"[^\"]*\"|\S+)")
"""``study=0123456789abcdef`` and ``detail='no answer'`` in a message."""

OWN = ("time", "level", "logger", "message", "traceback")
"""Keys of a JSON line that no word of the message replaces."""


def log_to_stderr(level: int, form: Literal["text", "json"] = "text") -> None:
    """Log to stderr; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("msnode").setLevel(level)
    # pynetdicom and pydicom quote attribute values, which may identify a patient
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def _frames(raised: _Raised) -> str:
    """Where errors came from, and their classes; not what they say, which may quote a patient."""
    told, error = [], raised[1]
    while error is not None:
        told.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__)
        hidden = error.__context__ if not error.__suppress_context__ else None
        error = error.__cause__ or hidden
    return "\n".join(reversed(told))


def _moment(record: logging.LogRecord) -> str:
    """Local time with its zone (RFC 3339): 2026-11-28T06:04:24.123+01:00."""
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


class _Lines(logging.Formatter):
    """A line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the base's name
        """The time, which without a zone is ambiguous once a year and between two sites."""
        return _moment(record)

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the base's name
        """See `_frames`."""
        return _frames(ei)


class _Json(logging.Formatter):
    """One JSON object a line; the message's words (study, destination …) are keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The same as in the line for people, and nothing more."""
        message = record.getMessage()
        words = {name: value.strip("'\"") for name, value in WORD.findall(message)}
        line = {
            "time": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        line |= {name: value for name, value in words.items() if name not in OWN}
        if record.exc_info:
            line["traceback"] = _frames(record.exc_info)
        return json.dumps(line, ensure_ascii=False)

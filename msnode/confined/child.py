"""The process that opens files from outside: limits itself, calls one function, answers, ends."""

import ctypes
import gc
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from prometheus_client import Counter

from msnode import metrics
from msnode.config import Decode
from msnode.errors import MsnodeError, Refused, origin
from msnode.records.sentences import Text
from msnode.store.files import encode

LINES = 100
"""Lines of its log that go along with an answer."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it travels.

    Attributes:
        kind: name of its class.
        message: of a `MsnodeError`; any other's may quote patient data and stays behind.
        errno: of an OSError.
        where: file and line that raised it.
    """

    kind: str
    where: str
    message: Text = ""
    errno: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back.

    Attributes:
        value: the function's result, as plain JSON values.
        logged: name of the logger, level and message of what msnode's loggers were given.
        counted: name in `metrics`, labels and value of each counter that moved.
    """

    value: Any
    failure: Failure | None
    logged: list[tuple[str, int, str]]
    counted: list[tuple[str, dict[str, str], float]]


encode(Answer(None, Failure("", ""), [], []))  # the fork server does what each process would


def run(pipe: Connection, limits: Decode, function: Callable[..., Any], args: Any) -> NoReturn:
    """Call the function, send the answer, end without cleaning anything up."""
    noted = _Noted()
    value, failure = None, None
    try:
        _confine(limits, pipe.fileno())
        value = function(*args)
    except MemoryError:
        failure = Failure("MemoryError", "")  # what it was needed for is freed by now
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller hears of it
        failure = _failure(error)
    pipe.send_bytes(encode(Answer(value, failure, noted.lines, list(_counted()))))
    os._exit(0)


def _confine(limits: Decode, pipe: int) -> None:
    """Give up what a process that a file has gone mad could do harm with."""
    gc.freeze()  # what the fork server made stays in memory that both share
    os.setsid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # the fork server's, which ends with the node
    os.closerange(3, pipe)
    os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))
    _silence()
    with suppress(OSError):  # short of memory, the kernel shall take this process
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    memory = pages * resource.getpagesize() + limits.memory_bytes
    seconds = int(limits.time_s) + 1
    for what, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
    ):
        resource.setrlimit(what, (limit, limit))


def _silence() -> None:
    """What libraries print may quote a header, and in a loop fill the log."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


class _Noted(logging.Handler):
    """Keeps what msnode's loggers are given; the libraries' loggers lead nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, int, str]] = []
        ours = logging.getLogger("msnode")
        ours.handlers, ours.propagate = [self], False
        ours.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < LINES:
            self.lines.append((record.name, record.levelno, record.getMessage()))


def _counted() -> Iterator[tuple[str, dict[str, str], float]]:
    """The counters that moved; they began at 0, as the fork server counts nothing."""
    for name, counter in vars(metrics).items():
        if isinstance(counter, Counter):
            for sample in next(iter(counter.collect())).samples:
                if sample.name.endswith("_total") and sample.value:
                    yield name, dict(sample.labels), sample.value


def _failure(error: Exception) -> Failure:
    """An error with the place that raised it."""
    kind, where = origin(error)
    number = error.errno if isinstance(error, OSError) else None
    return Failure(kind, where, _message(error), number)


def _message(error: Exception) -> Text:
    """The message, if it is ours."""
    if isinstance(error, Refused):
        return error.reason
    return str(error) if isinstance(error, MsnodeError) else ""

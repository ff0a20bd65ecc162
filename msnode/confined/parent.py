"""Calls that cannot take the caller down.

A file may make a codec crash, loop, or ask for all the memory there is. Then its process ends, and
with it the work on that study alone. Each call gets a fresh process, forked from a server that has
the libraries loaded and opens no file itself (the fork server of `multiprocessing`): nothing that
one study does to its process reaches the next one. What comes back is JSON; it is never unpickled.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from msnode import errors, metrics
from msnode.config import Decode
from msnode.confined.child import Answer, Failure, run
from msnode.errors import Crashed, MsnodeError, TryLater, Unforeseen
from msnode.records.sentences import Sentence
from msnode.store.files import decode, structure

log = logging.getLogger(__name__)

R = TypeVar("R")

LONGEST = 64 * 1024**2
"""Bytes of an answer: paths, reasons, a study's geometry; never pixels."""
LOST = 255
"""What `multiprocessing` says if the fork server ended and took the exit status with it."""
PATIENCE = 10
"""So many times its time a call may take in all, where others keep the processor from it."""
LOOK_S = 0.05
"""The shortest time between two looks at how long it has waited for that."""
STARTS = 3
"""Attempts to get a first answer before the node gives up."""
LATE, MEMORY = 1001, 1002
"""Beside the exit statuses, which end at 255."""
STOPPED = {-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, LOST}
"""Exit statuses that people and service managers cause, not faults."""

_CONTEXT = multiprocessing.get_context("forkserver")
_BOOKKEEPING = threading.Lock()
"""`multiprocessing` looks after all its children whenever one starts: not two threads at a time."""


class Confined:
    """Calls functions in processes of their own; safe in threads.

    Args:
        limits: memory and time of one call.
        preload: modules that the fork server imports. One server serves the whole program: it
            starts, in the background, with the first of these objects.
    """

    def __init__(self, limits: Decode, preload: Sequence[str] = ()) -> None:
        self._limits = limits
        self._running: set[_Process] = set()
        self._stopped = False
        _CONTEXT.set_forkserver_preload(["__main__", __name__, *preload])
        forkserver.ensure_running()

    def warm_up(self) -> None:
        """Wait until the fork server is ready; a process killed meanwhile is started anew.

        Raises:
            MsnodeError: this system does not let a process limit itself, or kills them all.
        """
        try:
            self._first_call()
        except OSError as error:
            raise MsnodeError(
                f"a process cannot limit its own memory and time ({error.strerror}): allow the "
                "system call prlimit64, see systemd/msnode.service"
            ) from error

    def _first_call(self) -> None:
        for left in reversed(range(STARTS)):
            try:
                self.call(int, os.getpid)
            except (Crashed, TryLater) as error:
                if self._stopped or not left:
                    raise
                log.warning("reading process lost at its start error=%s", type(error).__name__)
            else:
                return

    def call(self, returns: type[R], function: Callable[..., Any], *args: Any) -> R:
        """Call a function in a fresh process; what it logs and counts is logged and counted here.

        Args:
            returns: what the function returns, as `files.decode` takes it.
            function: of a module, as the other process finds it by its name.
            args: for it; pickled on their way there.

        Raises:
            Crashed: the process died, or needed more memory or time than it may have.
            TryLater: it was stopped, as the node is.
            Unforeseen: any error that is neither a `MsnodeError` nor an OSError; these come as
                the function raised them.
        """
        began = time.monotonic()
        content = self._attempt(function, args)
        if content == -signal.SIGKILL:  # not by us: by the kernel, which was short of memory
            content = self._attempt(function, args)
        if isinstance(content, int):
            raise self._crashed(content, function, time.monotonic() - began)
        answer = decode(content, Answer)
        _replay(answer)
        if answer.failure is not None:
            raise self._error(answer.failure, function, time.monotonic() - began)
        return structure(answer.value, returns)

    def stop(self) -> None:
        """End the calls under way, which raise `TryLater`, and take no others."""
        self._stopped = True
        for process in tuple(self._running):
            process.kill()

    def _attempt(self, function: Callable[..., Any], args: tuple[Any, ...]) -> bytes | int:
        """The answer, or the exit status of a process that gave none."""
        process = _Process(self._limits, function, args)
        self._running.add(process)
        try:
            if self._stopped:
                raise TryLater("the node stops")
            content = process.result()
        finally:
            self._running.discard(process)
            process.end()
        if isinstance(content, int) and (self._stopped or content in STOPPED):
            raise TryLater("reading the images was stopped")
        return content

    def _crashed(self, status: int, function: Callable[..., Any], seconds: float) -> Crashed:
        """Why there is no answer, counted and logged."""
        if status == LATE or status == -signal.SIGXCPU:
            why, reason = Sentence("decoder_late", seconds=self._limits.time_s), "late"
        elif status == MEMORY:
            gib = self._limits.memory_bytes / 2**30
            why, reason = Sentence("decoder_memory", gib=gib), "memory"
        else:
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            why, reason = Sentence("decoder_crashed", how=how), "crashed"
        metrics.DECODER_DEATHS.labels(function.__name__, reason).inc()
        log.error("decoder lost reason=%r in=%s seconds=%.1f", str(why), function.__name__, seconds)
        return Crashed(Sentence("decoder_died", why=why))

    def _error(self, failure: Failure, function: Callable[..., Any], seconds: float) -> Exception:
        """What the function raised."""
        if failure.kind == "MemoryError":
            return self._crashed(MEMORY, function, seconds)
        if failure.errno is not None:
            return OSError(failure.errno, os.strerror(failure.errno))
        kind = getattr(errors, failure.kind, None)
        if isinstance(kind, type) and issubclass(kind, MsnodeError):
            return kind(failure.message)
        return Unforeseen(failure.kind, failure.where)


class _Process:
    """One process for one call."""

    def __init__(self, limits: Decode, function: Callable[..., Any], args: Any) -> None:
        self._late = False
        self._ended = threading.Event()
        self._seconds = limits.time_s
        self._reader, writer = _CONTEXT.Pipe(duplex=False)
        task = (writer, limits, function, args)
        self._process = _CONTEXT.Process(target=run, args=task, daemon=True)
        try:
            with writer, _BOOKKEEPING:
                self._process.start()
        except (OSError, EOFError) as error:  # the fork server has just ended; it is started anew
            self._reader.close()
            raise TryLater(f"no process to read images in: {type(error).__name__}") from error

    def result(self) -> bytes | int:
        """Wait for the answer; the exit status, or `LATE`, where none comes."""
        threading.Thread(target=self._watch, name="confined", daemon=True).start()
        try:
            return self._reader.recv_bytes(LONGEST)
        except (EOFError, OSError):  # it ended, or its answer is too long to be one
            return self._status()
        finally:
            self._ended.set()

    def _status(self) -> int:
        """The exit status; the pipe's end comes just before it."""
        if not wait([self._process.sentinel], 1):
            self.kill()
        wait([self._process.sentinel])
        with _BOOKKEEPING:
            self._process.join()
        return LATE if self._late else self._process.exitcode or 0

    def _watch(self) -> None:
        """Kill it when its time is over; a machine that is overloaded delays it and no more."""
        began, left = time.monotonic(), self._seconds
        while left > 0:
            if self._ended.wait(max(left, LOOK_S)):
                return
            allowed = min(self._seconds + _waited_s(self._process.pid), self._seconds * PATIENCE)
            left = allowed - (time.monotonic() - began)
        self._late = True
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and to whatever it started."""
        assert self._process.pid is not None  # noqa: S101 - it was started
        if not wait([self._process.sentinel], 0):  # before its setsid() it has no group of its own
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Leave nothing of it behind; it takes a moment to end, which nobody waits for."""
        self._reader.close()
        self.kill()


def _waited_s(pid: int | None) -> float:
    """Seconds for which a process could have run and others did (Linux, sched-stats)."""
    try:
        told = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    except OSError:  # it has just ended, or this kernel does not say
        return 0.0
    return int(told.split()[1]) / 1e9


def _replay(answer: Answer) -> None:
    """Log and count here what was logged and counted there."""
    for name, level, line in answer.logged:
        logging.getLogger(name).log(level, "%s", line)
    for name, labels, value in answer.counted:
        counter = getattr(metrics, name)
        (counter.labels(**labels) if labels else counter).inc(value)

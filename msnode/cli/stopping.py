"""SIGTERM and SIGINT, noticed at any moment, and a process that then ends within ten seconds."""

import logging
import os
import select
import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from multiprocessing.util import get_temp_dir
from types import FrameType
from typing import TypeVar

R = TypeVar("R")

EXIT_S = 8.0
"""After the signal, whatever still hangs; systemd and people wait for ten."""
LOOK_S = 0.1
"""Between looks whether the start has ended."""


class StopSignal:
    """Whether this process was told to stop; made and asked by the main thread.

    The interpreter itself writes a byte to a pipe when a signal comes. So no lock is taken in a
    handler, and the signal is noticed whichever thread of the process the kernel gave it to.
    """

    def __init__(self) -> None:
        self.came = False
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True

    def wait(self, seconds: float) -> bool:
        """Wait for the signal; whether it came."""
        select.select([self._reader], [], [], seconds)
        return self.came


def in_background(work: Callable[[], R], stop: StopSignal) -> R | None:
    """Run something that takes long in a thread, as the main one would notice no signal in it.

    Once the signal came, the process ends within EXIT_S, whether the work has ended or not.

    Returns:
        What the work does; None where it ended, or broke off, because of the signal.

    Raises:
        Exception: whatever the work raised.
    """
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            future.set_exception(error)

    threading.Thread(target=run, name="start", daemon=True).start()
    while not future.done() and not stop.wait(LOOK_S):
        continue
    if stop.came:
        end_soon()
        wait([future])
    if stop.came and future.exception() is not None:
        return None
    return future.result()


def end_soon() -> None:
    """End the process in EXIT_S at the latest.

    A step that waits for a slow peer, or a database that hangs, must not hold the exit up: all that
    matters is durable by now, and the step is repeated at the next start.
    """
    last = threading.Timer(EXIT_S, end)
    last.daemon = True
    last.start()


def end() -> None:
    """End the process now, and well."""
    shutil.rmtree(get_temp_dir(), ignore_errors=True)  # a fork server's socket
    logging.shutdown()
    os._exit(0)

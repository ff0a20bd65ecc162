"""Processes that `msnode serve` and `msnode work` run beside the node, as their children."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from prometheus_client import Counter

log = logging.getLogger(__name__)

NICE = 15
"""Receiving and analysing come first."""
AGAIN_S = (1.0, 60.0)
"""Before a child that ended is started again: the first time, and at most."""
SOUND_S = 60.0
"""A child that ran so long was sound."""
STOP_S = 5.0


def end_with_stdin() -> None:
    """From now on, stop when whoever holds the other end of stdin has gone."""
    threading.Thread(target=_await_end_of_stdin, name="stdin", daemon=True).start()


def _await_end_of_stdin() -> None:
    """However that happened."""
    while os.read(sys.stdin.fileno(), 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


class Child:
    """Runs a command beside the node, and starts it again when it ends.

    Args:
        command: of msnode; it takes ``--until-eof`` and ``--config``.
        config_file: of the node.
        ends: counts how often it ended by itself.
    """

    def __init__(self, command: str, config_file: Path, ends: Counter) -> None:
        self._name, self._ends = command, ends
        self._command = [sys.executable, "-m", "msnode", *command.split(), "--until-eof"]
        self._command += ["--config", str(config_file)]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=command, daemon=True)

    def start(self) -> None:
        """Start; that it ends is no reason for the node to end."""
        self._thread.start()

    def stop(self) -> None:
        """End it: its stdin ends, and it has a moment for answers under way."""
        self._stopping.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
        self._thread.join(STOP_S)

    def _keep(self) -> None:
        """Until stopped."""
        pause = AGAIN_S[0]
        while not self._stopping.is_set():
            ran = self._once()
            if self._stopping.is_set():
                return
            pause = AGAIN_S[0] if ran > SOUND_S else min(2 * pause, AGAIN_S[1])
            self._ends.inc()
            log.error("%s has ended; it is started again in %.0f s", self._name, pause)
            self._stopping.wait(pause)

    def _once(self) -> float:
        """Run it once; returns for how many seconds it ran."""
        began = time.monotonic()
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603 - ours
        self._process.wait()
        return time.monotonic() - began

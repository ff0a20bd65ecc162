"""The process of the pages: run by itself, or by `msnode serve` as its child."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from msnode import config as configuration
from msnode import metrics, server_socket
from msnode.cli.logs import log_to_stderr
from msnode.errors import ConfigError

log = logging.getLogger(__name__)

NICE = 15
"""Receiving and analysing come first."""
AGAIN_S = (1.0, 60.0)
"""Before a child that ended is started again: the first time, and at most."""
SOUND_S = 60.0
"""A child that ran so long was sound."""
STOP_S = 5.0


def run(config_file: Path, *, until_eof: bool) -> None:
    """Serve the pages until told to stop.

    Args:
        config_file: of the node.
        until_eof: also end when stdin does: with the process that started this one.

    Raises:
        ConfigError: no pages are configured, or their port is not to be had.
    """
    config = configuration.load(config_file, files=True)
    if config.pages is None:
        raise ConfigError("pages: are not configured; write pages: {} into the file, at least")
    log_to_stderr(logging.INFO, config.log)
    sock = server_socket.listen("pages", config.pages.address, config.pages.port)
    from msnode.pages import server

    if until_eof:
        os.nice(NICE)
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    with server.opened(config, config_file.resolve()) as site:
        server.serve(site, sock)


def _end_with_stdin() -> None:
    """Stop when whoever holds the other end of stdin has gone, however that happened."""
    while os.read(sys.stdin.fileno(), 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


class Child:
    """Runs the pages beside the node, and starts them again when they end.

    Args:
        config_file: of the node.
    """

    def __init__(self, config_file: Path) -> None:
        self._command = [sys.executable, "-m", "msnode", "pages", "--until-eof"]
        self._command += ["--config", str(config_file)]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="pages", daemon=True)

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
            metrics.PAGES_ENDS.inc()
            log.error("the pages have ended; they are started again in %.0f s", pause)
            self._stopping.wait(pause)

    def _once(self) -> float:
        """Run it once; returns for how many seconds it ran."""
        began = time.monotonic()
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603 - ours
        self._process.wait()
        return time.monotonic() - began

"""Builds the node: one start order, the reverse stop order."""

import logging
import shutil
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import sdnotify
import sqlalchemy as sa
import torch

from msnode import __version__, classify, deliver, metrics, prepare
from msnode.config import Config
from msnode.database import migrate, open_database
from msnode.engine import Engine
from msnode.flow import Flow
from msnode.http import Monitor
from msnode.receive import Inbox, Listener
from msnode.records import InputContract, Study
from msnode.twin import Twin

log = logging.getLogger(__name__)

SWEEP_S = 0.5  # how often the inbox is asked for complete studies
GRACE_S = 2.0  # for associations under way at a stop; the peer sends again what we did not answer


class Sweeper(threading.Thread):
    """Hands complete studies from the inbox to the engine, and keeps the gauges."""

    def __init__(self, config: Config, inbox: Inbox, engine: Engine, wanted: InputContract) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._config = config
        self._inbox = inbox
        self._engine = engine
        self._wanted = wanted
        self._stopping = threading.Event()
        self.last_sweep = time.monotonic()

    def run(self) -> None:
        """Sweep until stopped; what fails once (a locked database) is tried at the next sweep."""
        while not self._stopping.wait(SWEEP_S):
            try:
                self._sweep()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                log.error("sweep failed error=%s", type(error).__name__)
            else:
                self.last_sweep = time.monotonic()

    def stop(self) -> None:
        """Finish the sweep under way."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _sweep(self) -> None:
        complete = self._inbox.complete(
            time.time(),
            self._config.complete,
            lambda paths: prepare.has_wanted(paths, self._wanted),
        )
        for study in complete:
            self._submit(study)
        metrics.FREE_BYTES.set(shutil.disk_usage(self._config.data).free)

    def _submit(self, study: Study) -> None:
        log.info(
            "study=%s generation=%d instances=%d complete: %s",
            study.key, study.generation, len(study.paths), study.completion,
        )  # fmt: skip
        self._engine.submit(study.key, study.generation)


class Service:
    """A running node; use as a context manager."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = ExitStack()
        self._sweeper: Sweeper | None = None

    def __enter__(self) -> Self:
        """Start; whatever fails stops again what had started."""
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _notify("STOPPING=1")
        self._stack.close()
        log.info("stopped")

    def _start(self, stack: ExitStack) -> None:
        """The one start order; the stack stops in reverse."""
        config = self._config
        began = time.perf_counter()
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = open_database(config.database_url)
        stack.callback(database.dispose)
        migrate(database)
        inbox = Inbox(database, config.data)
        stack.callback(inbox.close)
        inbox.rebuild()
        monitor = Monitor(config.http, self._ready, self._alive)
        monitor.start()
        stack.callback(monitor.stop)
        runner = classify.Runner(classify.load_bundle(config.classify.bundle), config.classify)
        stack.callback(runner.close)
        runner.warm_up()
        flow = Flow(config, inbox, runner, deliver.Receipts(database), Twin(database))
        engine = Engine(database, config.name, flow)
        stack.callback(engine.stop)
        engine.launch()
        for study in inbox.queued():  # a crash may have come before the submit
            engine.submit(study.key, study.generation)
        sweeper = Sweeper(config, inbox, engine, runner.contract)
        stack.callback(sweeper.stop)
        listener = Listener(config.receive, inbox)
        stack.callback(listener.stop, GRACE_S)
        listener.start()
        sweeper.start()
        self._sweeper = sweeper
        self._announce(listener.port, monitor.port, runner, time.perf_counter() - began)

    def _announce(self, port: int, http: int, runner: classify.Runner, seconds: float) -> None:
        """The one "ready" line, the build metric, and systemd's READY=1."""
        info = runner.info
        metrics.BUILD.info(
            {
                "version": __version__,
                "model": info.name,
                "model_version": info.version,
                "model_digest": info.digest[:12],
                "torch": torch.__version__,
            }
        )
        log.info(
            "ready ae_title=%s port=%d http=%d model=%s/%s device=%s destinations=%d seconds=%.1f",
            self._config.receive.ae_title, port, http, info.name, info.version,
            runner.device, len(self._config.destinations), seconds,
        )  # fmt: skip
        _notify("READY=1")

    def _ready(self) -> tuple[bool, str]:
        if self._sweeper is None:
            return False, "starting"
        return self._alive()

    def _alive(self) -> tuple[bool, str]:
        """Alive while the sweeper sweeps; starting counts as alive."""
        if self._sweeper is None:
            return True, "starting"
        idle = time.monotonic() - self._sweeper.last_sweep
        return idle < 60, f"last sweep {idle:.0f} s ago"


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); without it a no-op."""
    sdnotify.SystemdNotifier().notify(state)  # type: ignore[no-untyped-call]

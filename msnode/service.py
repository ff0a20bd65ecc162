"""Builds the node: one start order, the reverse stop order."""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import sdnotify
import sqlalchemy as sa
import torch

from msnode import __version__, classify, deliver, metrics
from msnode.analysis import unexpected
from msnode.audit import open_trail
from msnode.config import Config
from msnode.engine import Engine
from msnode.flow import Flow
from msnode.receive import Inbox, Listener, Reports
from msnode.records import ModelInfo, Study
from msnode.retention.expiry import DAY_S, Retention
from msnode.store.commitments import Commitments
from msnode.store.database import migrate, open_database
from msnode.store.disk_space import Level, Room, is_full
from msnode.twin import Twin
from msnode.web.monitor import Monitor

log = logging.getLogger(__name__)

SWEEP_S = 0.5  # how often the inbox is asked for complete studies
BEAT_S = 5.0  # between heartbeats; engine.SILENT_S of silence count as death
COUNT_S = 60.0  # between counts of the jobs that wait for an administrator
CLEAN_S = 3600.0  # between removals of what is old
AGAIN_S = 60.0  # after one that failed
HURRY_S = 5.0  # for one of them; what is left comes with the next sweep
ORPHAN_S = 60.0  # after which a file without a row has no receiver that will write it
GRACE_S = 2.0  # for associations under way at a stop; the peer sends again what we did not answer


class Sweeper(threading.Thread):
    """Hands complete studies from the inbox to the engine, and says that this host is alive."""

    def __init__(
        self, config: Config, inbox: Inbox, engine: Engine, flow: Flow, retention: Retention
    ) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._retention = retention
        self._flow = flow
        self._config = config
        self._inbox = inbox
        self._engine = engine
        self._stopping = threading.Event()
        self.last_sweep = time.monotonic()
        self._next_beat = self._next_look = self._next_count = self._next_cleaning = 0.0

    def run(self) -> None:
        """Sweep until stopped; what fails once (a locked database) is tried at the next sweep."""
        trouble = ""
        while not self._stopping.wait(SWEEP_S):
            try:
                self._sweep()
            except Exception as error:  # noqa: BLE001 - one study must not end the sweeps of all
                trouble = self._note(error, trouble)
            else:
                trouble = ""
                self.last_sweep = time.monotonic()

    def _note(self, error: Exception, before: str) -> str:
        """Say once what keeps sweeps from their end; to be restarted would not help a full disk."""
        trouble = "a disk is full" if is_full(error) else type(error).__name__
        if is_full(error):
            self.last_sweep = time.monotonic()
            if trouble != before:
                log.error("a disk is full: work waits for room error=%s", type(error).__name__)
        elif trouble != before:
            unexpected(error, "sweeping the inbox")
        return trouble

    def stop(self) -> None:
        """Finish the sweep under way, unless the database makes it wait for long."""
        self._stopping.set()
        if self.is_alive():
            self.join(GRACE_S)

    def _sweep(self) -> None:
        complete = self._inbox.complete(time.time(), self._config.complete, self._has_wanted)
        for study in complete:
            self._submit(study)
        self._beat()
        if time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + BEAT_S
            self._submit_queued()
        self._count_stopped()
        self._settle_reports()
        if time.monotonic() > self._next_cleaning:
            self._clean()

    def _beat(self) -> None:
        """Say every few seconds that this host is alive."""
        if time.monotonic() > self._next_beat:
            self._next_beat = time.monotonic() + BEAT_S
            self._engine.beat()

    def _count_stopped(self) -> None:
        """Show how many jobs wait for an administrator; they may be many, so not all the time."""
        if time.monotonic() > self._next_count:
            self._next_count = time.monotonic() + COUNT_S
            stopped = self._engine.stopped()
            for state in ("dead", "cancelled"):
                metrics.STOPPED_JOBS.labels(state).set(stopped[state])

    def _clean(self) -> None:
        """Delete what is old, for some seconds; with the next sweep more, if there is more.

        At the end of it, look for images of a receiver that died for good before their rows came.
        """
        began = time.monotonic()
        self._next_cleaning = began + AGAIN_S  # whatever stops it must not stop the sweeps
        self._engine.sweep()
        deleted = len(list(self._retention.apply(HURRY_S)))
        is_all = not deleted or time.monotonic() < began + HURRY_S
        self._next_cleaning = time.monotonic() + (CLEAN_S if is_all else 0.0)
        if is_all:
            self._inbox.rebuild(ORPHAN_S)

    def _settle_reports(self) -> None:
        """Go on with deliveries on whose commitment their peer has reported."""
        deliveries = self._flow.deliveries
        for request in deliveries.reported():
            place = request.study_key, request.generation, request.destination
            if not self._engine.is_delivering(*place):  # who is sees for himself
                destination = self._flow.destinations.get(request.destination)
                self._engine.hasten(*place, deliveries.settle(request, destination))

    def _submit_queued(self) -> None:
        """Submit what a crash or a fault kept from being submitted; close what died."""
        for study in self._inbox.queued():
            if not self._submit(study):
                self._flow.fail(study.key, study.generation)
        for key, destination in self._engine.lost():
            log.error("study=%s destination=%s given up: no attempt survived", key, destination)
            metrics.DELIVERIES.labels(destination, "dead").inc()

    def _submit(self, study: Study) -> bool:
        """Give a study its place in the engine's queue."""
        since, stat = study.last_instance_at, study.stat
        return self._engine.submit(study.key, study.generation, since=since, stat=stat)

    def _has_wanted(self, paths: Sequence[Path]) -> bool:
        """Whether the model's series is there; a hostile file that takes long is no standstill."""
        self.last_sweep = time.monotonic()
        with suppress(sa.exc.SQLAlchemyError):  # the next beat tells of it
            self._beat()
        return self._flow.has_wanted(paths)


class Service:
    """A running node; use as a context manager.

    Args:
        config: of the node.
        receive: listen for images.
        work: analyse and deliver. Several hosts with one database and one data folder may each
            do one or both.
    """

    def __init__(self, config: Config, *, receive: bool = True, work: bool = True) -> None:
        self._config = config
        self._receive = receive
        self._work = work
        self._stack = ExitStack()
        self._sweeper: Sweeper | None = None
        self._runner: classify.Runner | None = None
        self._listener: Listener | None = None
        self._started = False

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
        self._trail = trail = open_trail(config, self._role)
        stack.callback(trail.close)
        trail.started()
        stack.callback(trail.stopped)
        self._database = database = open_database(config.database_url)
        stack.callback(database.dispose)
        migrate(database)
        self._room = Room(
            config.data, config.receive.warn_free_bytes, config.receive.min_free_bytes
        )
        self._room.watch()
        inbox = Inbox(database, config.data, self._room, config.receive.conflicts)
        stack.callback(inbox.close)
        inbox.rebuild()
        monitor = Monitor(config.http, self._ready, self._alive)
        monitor.start()
        stack.callback(monitor.stop)
        words = [f"http={monitor.port}", f"destinations={len(config.destinations)}"]
        if self._work:
            words += self._start_work(stack, database, inbox)
        if self._receive:
            reports = Reports(config, Commitments(database))
            self._listener = listener = Listener(config.receive, inbox, reports, trail)
            stack.callback(listener.stop, GRACE_S)
            listener.start()
            words += [f"ae_title={config.receive.ae_title}", f"port={listener.port}"]
        self._started = True
        log.info("ready %s seconds=%.1f", " ".join(words), time.perf_counter() - began)
        _notify("READY=1")

    @property
    def _role(self) -> str:
        """What this process does of a node's work, as the command is called."""
        if self._receive and self._work:
            return "serve"
        return "receive" if self._receive else "work"

    def _start_work(self, stack: ExitStack, database: sa.Engine, inbox: Inbox) -> list[str]:
        """Model, engine and sweeper; returns words for the "ready" line."""
        config = self._config
        runner = classify.Runner(classify.load_bundle(config.classify.bundle), config.classify)
        self._runner = runner
        stack.callback(runner.close)
        deliveries = deliver.Deliveries(database, self._trail)
        flow = Flow(config, inbox, runner, deliveries, Twin(database))
        stack.callback(flow.stop)
        runner.warm_up()
        flow.warm_up()
        keep_s = config.retention.jobs_days * DAY_S
        engine = Engine(database, config.name, flow, keep_s=keep_s)
        stack.callback(engine.stop)
        engine.launch()
        rules = config.retention
        retention = Retention(database, config.data, rules, engine.unsettled, self._trail)
        self._sweeper = Sweeper(config, inbox, engine, flow, retention)
        stack.callback(self._sweeper.stop)
        self._sweeper.start()
        _describe(runner.info)
        return [f"model={runner.info.name}/{runner.info.version}", f"device={runner.device}"]

    def watch(self) -> None:
        """Feed systemd's watchdog while the node is sound; without food it is restarted."""
        self._room.level()  # to be logged, also while no image comes
        if self._alive()[0]:
            _notify("WATCHDOG=1")

    def _ready(self) -> tuple[bool, str]:
        """Ready while it takes and analyses studies."""
        if not self._started:
            return False, "starting"
        room = self._room.level()
        if self._receive and room == Level.FULL:
            return False, "less than receive.min_free_bytes free: images are refused"
        try:
            with self._database.connect() as connection:
                connection.execute(sa.select(1))
        except sa.exc.SQLAlchemyError as error:
            return False, f"the database does not answer: {type(error).__name__}"
        alive, reason = self._alive()
        return alive, reason if room == Level.AMPLE else f"{reason}; room on the disk is low"

    def _alive(self) -> tuple[bool, str]:
        """Alive while listener, device and sweeper do their work; starting counts as alive."""
        if self._started and self._listener is not None and not self._listener.is_alive:
            return False, "the listener has ended"
        if self._runner is not None and not self._runner.is_sound:
            return False, f"{self._runner.device} has failed: the node must be started anew"
        if self._sweeper is None:
            return True, "receiving" if self._started else "starting"
        idle = time.monotonic() - self._sweeper.last_sweep
        return idle < 60, f"last sweep {idle:.0f} s ago"


def _describe(info: ModelInfo) -> None:
    """The build metric: which program and which model."""
    metrics.BUILD.info(
        {
            "version": __version__,
            "model": info.name,
            "model_version": info.version,
            "model_digest": info.digest[:12],
            "torch": torch.__version__,
        }
    )


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); without it a no-op."""
    sdnotify.SystemdNotifier().notify(state)  # type: ignore[no-untyped-call]

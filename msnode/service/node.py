"""Builds the node: starts its parts in a fixed order and stops them in reverse."""

import logging
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import sdnotify
import sqlalchemy as sa
import torch

from msnode import __version__, classify, metrics
from msnode.audit import open_trail
from msnode.config import Config
from msnode.deliver.deliveries import Deliveries
from msnode.engine.durable import Engine
from msnode.flow import Flow
from msnode.receive import Inbox, Listener, Reports
from msnode.records.results import ModelInfo
from msnode.retention.expiry import DAY_S, Retention
from msnode.service.periodic import Periodic
from msnode.service.upkeep import Upkeep
from msnode.store.commitments import Commitments
from msnode.store.database import open_database
from msnode.store.disk_space import DiskSpace, Level
from msnode.store.schema import migrate
from msnode.twin import Twin
from msnode.web.monitor import Monitor

log = logging.getLogger(__name__)

GRACE_S = 2.0  # for associations under way at a stop; the peer sends again what we did not answer
STANDSTILL_S = 60.0  # after so long without a sign of the periodic tasks the node is restarted


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
        self._periodic: Periodic | None = None
        self._runner: classify.Runner | None = None
        self._listener: Listener | None = None
        self._started = False

    def __enter__(self) -> Self:
        """Start; if anything fails, stop what has started."""
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
        """Start everything in order; the stack stops it in reverse."""
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
        self._room = DiskSpace(
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
        """This process's part of the node's work, by the name of the command."""
        if self._receive and self._work:
            return "serve"
        return "receive" if self._receive else "work"

    def _start_work(self, stack: ExitStack, database: sa.Engine, inbox: Inbox) -> list[str]:
        """Model, engine and upkeep; returns words for the "ready" line."""
        config = self._config
        runner = classify.Runner(classify.load_bundle(config.classify.bundle), config.classify)
        self._runner = runner
        stack.callback(runner.close)
        deliveries = Deliveries(database, self._trail)
        flow = Flow(config, inbox.studies, runner, deliveries, Twin(database))
        stack.callback(flow.stop)
        runner.warm_up()
        flow.warm_up()
        keep_s = config.retention.jobs_days * DAY_S
        engine = Engine(database, config.name, flow, keep_s=keep_s)
        stack.callback(engine.stop)
        engine.launch()
        rules = config.retention
        retention = Retention(database, config.data, rules, engine.unsettled, self._trail)
        self._periodic = Upkeep(config, inbox, engine, flow, retention).periodic
        stack.callback(self._periodic.stop)
        self._periodic.start()
        _describe(runner.info)
        return [f"model={runner.info.name}/{runner.info.version}", f"device={runner.device}"]

    def watch(self) -> None:
        """Notify systemd's watchdog while the node is healthy; otherwise systemd restarts it."""
        self._room.level()  # so that it is logged even while no image comes
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
        """Alive while listener, device and upkeep do their work; starting counts as alive."""
        if self._started and self._listener is not None and not self._listener.is_alive:
            return False, "the listener has ended"
        if self._runner is not None and not self._runner.is_sound:
            return False, f"{self._runner.device} has failed: the node must be started anew"
        if self._periodic is None:
            return True, "receiving" if self._started else "starting"
        idle = time.monotonic() - self._periodic.last_sign
        return idle < STANDSTILL_S, f"last round {idle:.0f} s ago"


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

"""Builds the node: starts its parts in a fixed order and stops them in reverse.

The listener comes early and the model late: to receive takes no model, and reading one from a slow
disk takes minutes. So what the model needs is imported only when it is needed.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from socket import socket
from types import TracebackType
from typing import TYPE_CHECKING, Self

import sdnotify
import sqlalchemy as sa

from msnode.audit import open_trail
from msnode.config import Config, Dicomweb, Hl7
from msnode.errors import Stopped
from msnode.notices import watch
from msnode.receive import Inbox, Listener, MllpListener, Reports, WebListener
from msnode.receive.dicom.sop_classes import analysed
from msnode.service.message_intake import MessageIntake
from msnode.store.commitments import Commitments
from msnode.store.database import open_database
from msnode.store.disk_space import DiskSpace, Level
from msnode.store.schema import migrate
from msnode.web.monitor import Monitor

if TYPE_CHECKING:
    from msnode.service.clinical_intake import ClinicalIntake
    from msnode.service.periodic import Periodic
    from msnode.service.work import Work

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
        sockets: that listen already, by the section of the configuration: receive,
            receive.dicomweb, receive.hl7, http.
        is_stopping: asked between the parts of the start.
    """

    def __init__(
        self,
        config: Config,
        *,
        receive: bool = True,
        work: bool = True,
        sockets: Mapping[str, socket] | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._receive = receive
        self._work = work
        self._sockets = sockets or {}
        self._is_stopping = is_stopping
        self._stack = ExitStack()
        self._periodic: Periodic | None = None
        self._working: Work | None = None
        self._listeners: list[Listener | WebListener | MllpListener] = []
        self._doing = "starting"
        self._started = False

    def __enter__(self) -> Self:
        """Start; if anything fails, stop what has started.

        Raises:
            Stopped: it was told to stop before it was ready.
        """
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
        monitor = Monitor(config.http, self._ready, self._alive, _about_pages(config))
        monitor.start(self._sockets.get("http"))
        stack.callback(monitor.stop)
        inbox = self._open_inbox(stack)
        if (notices := watch.start(config, self._role)) is not None:
            stack.callback(notices.stop)
        words = [f"http={monitor.port}", f"destinations={len(config.destinations)}"]
        if self._receive:
            words += self._listen(stack, inbox)
        if self._work:
            words += self._start_work(stack, inbox)
        for listener in self._listeners:  # before the work, which they would only add to
            stack.callback(listener.stop, GRACE_S)
        self._go_on("ready")
        self._started = True
        log.info("ready %s seconds=%.1f", " ".join(words), time.perf_counter() - began)
        _notify("READY=1")

    def _go_on(self, what: str) -> None:
        """Begin the next part of the start, unless the node is to stop."""
        if self._is_stopping():
            raise Stopped
        self._doing = what
        _notify(f"STATUS={what}")

    def _open_inbox(self, stack: ExitStack) -> Inbox:
        """The audit trail, the database and what was received."""
        config = self._config
        self._go_on("starting: opening the database")
        self._trail = trail = open_trail(config, self._role)
        stack.callback(trail.close)
        trail.started()
        stack.callback(trail.stopped)
        self._database = database = open_database(config.database_url)
        stack.callback(database.dispose)
        migrate(database)
        limits = config.receive
        self._room = DiskSpace(config.data, limits.warn_free_bytes, limits.min_free_bytes)
        self._room.watch()
        inbox = Inbox(database, config.data, self._room, limits.conflicts, analysed(config))
        stack.callback(inbox.close)
        self._go_on("starting: looking through the inbox")
        inbox.rebuild()
        return inbox

    def _listen(self, stack: ExitStack, inbox: Inbox) -> list[str]:
        """Take images from now on; returns words for the "ready" line."""
        receive = self._config.receive
        reports = Reports(self._config, Commitments(self._database))
        listener = Listener(receive, inbox, reports, self._trail)
        stack.callback(listener.stop, GRACE_S)
        listener.start(self._sockets.get("receive"))
        self._listeners.append(listener)
        words = [f"ae_title={receive.ae_title}", f"port={listener.port}"]
        if receive.dicomweb is not None:
            clinical = self._clinical(receive.dicomweb, inbox.secret)
            web = WebListener(receive, receive.dicomweb, inbox, self._trail, clinical)
            stack.callback(web.stop, GRACE_S)
            web.start(self._sockets.get("receive.dicomweb"))
            self._listeners.append(web)
            words.append(f"dicomweb={web.port}")
        if receive.hl7 is not None:
            words.append(f"hl7={self._listen_to_messages(stack, receive.hl7, inbox)}")
        return words

    def _clinical(self, web: Dicomweb, secret: bytes) -> "ClinicalIntake | None":
        """What takes Bundles of FHIR, where they are to be taken."""
        if web.fhir is None:
            return None
        from msnode.service.clinical_intake import ClinicalIntake

        return ClinicalIntake(self._database, secret, web.fhir, self._trail)

    def _listen_to_messages(self, stack: ExitStack, hl7: Hl7, inbox: Inbox) -> int:
        """Take HL7 v2 messages from now on; returns the port."""
        intake = MessageIntake(
            self._database,
            inbox.secret,
            hl7.processing,
            lambda: self._room.level() != Level.FULL,
            self._trail,
        )
        listener = MllpListener(self._config.receive, hl7, intake.take, self._trail)
        stack.callback(listener.stop, GRACE_S)
        listener.start(self._sockets.get("receive.hl7"))
        self._listeners.append(listener)
        return listener.port

    @property
    def _role(self) -> str:
        """This process's part of the node's work, by the name of the command."""
        if self._receive and self._work:
            return "serve"
        return "receive" if self._receive else "work"

    def _start_work(self, stack: ExitStack, inbox: Inbox) -> list[str]:
        """Model, engine and upkeep; returns words for the "ready" line."""
        self._go_on("starting: images are taken, the model is being loaded"
                    if self._receive else "starting: the model is being loaded")  # fmt: skip
        from msnode.service import work

        working = work.start(
            self._config,
            self._database,
            inbox,
            self._trail,
            stack,
            lambda: self._go_on(self._doing),
        )
        self._working, self._periodic = working, working.periodic
        info = working.runner.info
        return [f"model={info.name}/{info.version}", f"device={working.runner.device}"]

    def watch(self) -> None:
        """Notify systemd's watchdog while the node is healthy; otherwise systemd restarts it."""
        self._room.level()  # so that it is logged even while no image comes
        if self._alive()[0]:
            _notify("WATCHDOG=1")

    def _ready(self) -> tuple[bool, str]:
        """Ready while it takes and analyses studies."""
        if not self._started:
            return False, self._doing
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
        if self._started and not all(listener.is_alive for listener in self._listeners):
            return False, "a listener has ended"
        if self._working is not None and (device := self._working.unsound) is not None:
            return False, f"{device} has failed: the node must be started anew"
        if self._periodic is None:
            return True, "receiving" if self._started else "starting"
        idle = time.monotonic() - self._periodic.last_sign
        return idle < STANDSTILL_S, f"last round {idle:.0f} s ago"


def _about_pages(config: Config) -> str:
    """Where people find pages, or how they are switched on."""
    pages = config.pages
    if pages is None:
        return (
            "no pages are switched on: write pages: {} into the configuration, add an account "
            "with msnode accounts add, and start the node again"
        )
    if pages.url is not None:
        return f"the pages are at {pages.url}"
    scheme, host = "https" if pages.is_https else "http", pages.address
    return f"the pages are at {scheme}://{f'[{host}]' if ':' in host else host}:{pages.port}/"


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); without it a no-op."""
    sdnotify.SystemdNotifier().notify(state)  # type: ignore[no-untyped-call]

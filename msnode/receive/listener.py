"""The DICOM listener: accepts connections and gives each a thread."""

import logging
import socket
import threading
import time

from msnode import config, metrics, server_socket
from msnode.audit import SILENT, Trail
from msnode.receive.access.connection_limit import ConnectionLimit
from msnode.receive.access.policy import Policy
from msnode.receive.access.rate_limit import RateLimit
from msnode.receive.access.refusals import Refusals
from msnode.receive.association import AssociationThread, Services
from msnode.receive.dicom.sop_classes import accepted, contexts
from msnode.receive.dicom.upper_layer import Connection
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.n_event_report import Reports
from msnode.receive.tcp_server import PENDING, TcpServer
from msnode.tls import ServerTls

log = logging.getLogger(__name__)

WATCH_S = 1.0


class Listener:
    """C-ECHO and C-STORE SCP, and SCU of storage commitment for the reports that come to it.

    Args:
        receive: the configuration.
        inbox: where instances go.
        reports: where reports on storage commitment go, None if nobody is to send any.
        trail: the audit trail.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    def __init__(
        self,
        receive: config.Receive,
        inbox: Inbox,
        reports: Reports | None = None,
        trail: Trail = SILENT,
    ) -> None:
        self._config = receive
        supported = contexts(accepted(receive.accept))
        supported += reports.contexts() if reports is not None else []
        self.guard = Refusals(trail)
        self._pace = RateLimit()
        self._services = Services(
            receive, inbox, reports, Policy(receive), supported, trail, self.guard, self._pace
        )
        self._tls = ServerTls(receive.tls) if receive.tls else None
        self._lock = threading.Lock()
        self._sessions: set[AssociationThread] = set()
        self._server: TcpServer | None = None
        self._thread: threading.Thread | None = None
        self._watched = 0.0

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        if self._server is None:
            return self._config.port
        return int(self._server.server_address[1])

    @property
    def is_alive(self) -> bool:
        """Whether it listens."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, listening: socket.socket | None = None) -> None:
        """Accept connections, in threads of its own.

        Args:
            listening: the socket; None: it is made here.

        Raises:
            ConfigError: the address or the port is not to be had.
        """
        config = self._config
        gate = ConnectionLimit(config.max_associations + PENDING)
        sock = listening or server_socket.listen("receive", config.address, config.port)
        self._server = TcpServer(self, gate, sock)
        serving = self._server.serve_forever
        self._thread = threading.Thread(target=serving, name="listener", daemon=True)
        self._thread.start()
        log.info("listening ae_title=%s port=%d", self._config.ae_title, self.port)

    def stop(self, grace_s: float) -> None:
        """Take no more associations; messages under way are answered, within ``grace_s``."""
        if self._server is None:
            return
        self._pace.stop()
        self._server.shutdown()
        self._server.server_close()
        end = time.monotonic() + grace_s
        while (sessions := self._open_sessions()) and time.monotonic() < end:
            for session in sessions:
                session.stop()
            time.sleep(0.05)
        for session in sessions:
            session.connection.interrupt()

    def _open_sessions(self) -> list[AssociationThread]:
        with self._lock:
            return list(self._sessions)

    def watch(self) -> None:
        """End connections whose time is over, and reload changed TLS files; called often."""
        now = time.monotonic()
        if now < self._watched + WATCH_S:
            return
        self._watched = now
        for session in self._open_sessions():
            session.connection.check(now)
        if self._tls is not None:
            self._tls.refresh()

    def turn_away(self, address: str) -> None:
        """Record a connection beyond its address's share."""
        metrics.ASSOCIATIONS.labels("no_connection").inc()
        self.guard.refuse(address, "", "connections", "too many are open")

    def serve(self, sock: socket.socket, address: str) -> None:
        """A connection from the TLS handshake to its end, in its own thread."""
        if self._tls is not None:
            # the session does the handshake itself, so that it holds up nobody else
            sock = self._tls.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        timeout, longest = self._config.network_timeout_s, self._config.max_association_s
        connection = Connection(sock, timeout, self._config.max_pdu, longest)
        session = AssociationThread(connection, address, self._services)
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.discard(session)
            connection.close()

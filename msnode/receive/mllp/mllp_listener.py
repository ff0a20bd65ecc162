"""The HL7 v2 listener: accepts connections and gives each a thread."""

import logging
import socket
import threading
import time

from msnode import config, metrics, server_socket
from msnode.audit import SILENT, Trail
from msnode.receive.access.connection_limit import ConnectionLimit
from msnode.receive.access.policy import Peer
from msnode.receive.access.rate_limit import RateLimit
from msnode.receive.access.refusals import Refusals
from msnode.receive.mllp.mllp_connection import MllpConnection
from msnode.receive.mllp.mllp_policy import MllpPolicy
from msnode.receive.mllp.mllp_session import MllpServices, MllpSession, Take
from msnode.receive.tcp_server import TcpServer
from msnode.tls import ServerTls

log = logging.getLogger(__name__)

WATCH_S = 1.0


class MllpListener:
    """Receives HL7 v2 messages over MLLP.

    Args:
        receive: the limits, as of the DICOM listener.
        hl7: the address and who may call.
        take: takes messages in.
        trail: the audit trail.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    def __init__(
        self, receive: config.Receive, hl7: config.Hl7, take: Take, trail: Trail = SILENT
    ) -> None:
        self._receive = receive
        self._hl7 = hl7
        self._pace = RateLimit()
        self._services = MllpServices(MllpPolicy(hl7), take, Refusals(trail), self._pace)
        self._tls = mllp_tls(hl7)
        self._lock = threading.Lock()
        self._sessions: set[MllpSession] = set()
        self._server: TcpServer | None = None
        self._thread: threading.Thread | None = None
        self._watched = 0.0

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return self._hl7.port if self._server is None else int(self._server.server_address[1])

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
        gate = ConnectionLimit(self._receive.max_associations)
        address, port = self._hl7.address, self._hl7.port
        sock = listening or server_socket.listen("receive.hl7", address, port)
        self._server = TcpServer(self, gate, sock)
        serving = self._server.serve_forever
        self._thread = threading.Thread(target=serving, name="hl7", daemon=True)
        self._thread.start()
        log.info("listening hl7 port=%d", self.port)

    def stop(self, grace_s: float) -> None:
        """Take no more messages; those under way are answered, within ``grace_s``."""
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

    def _open_sessions(self) -> list[MllpSession]:
        with self._lock:
            return list(self._sessions)

    def watch(self) -> None:
        """Reload changed TLS files; called often."""
        now = time.monotonic()
        if self._tls is not None and now >= self._watched + WATCH_S:
            self._watched = now
            self._tls.refresh()

    def turn_away(self, address: str) -> None:
        """Record a connection beyond its address's share."""
        metrics.HL7_BROKEN.labels("no_connection").inc()
        self._services.guard.refuse(address, "", "connections", "too many are open")

    def serve(self, sock: socket.socket, address: str) -> None:
        """A connection from the TLS handshake to its end, in its own thread."""
        if self._tls is not None:
            # the session does the handshake itself, so that it holds up nobody else
            sock = self._tls.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        limits = self._receive
        connection = MllpConnection(sock, limits.network_timeout_s, limits.max_association_s)
        session = MllpSession(connection, Peer(address), self._services)
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.discard(session)
            connection.close()


def mllp_tls(hl7: config.Hl7) -> ServerTls | None:
    """Its TLS, None without.

    A certificate is asked of all where every caller is known by one.

    Raises:
        ConfigError: the files cannot be used.
    """
    if hl7.tls is None:
        return None
    by_certificate = [caller.subject is not None for caller in hl7.callers]
    is_mutual = bool(by_certificate) and all(by_certificate)
    return ServerTls(hl7.tls, "receive.hl7.tls", is_mutual=is_mutual)

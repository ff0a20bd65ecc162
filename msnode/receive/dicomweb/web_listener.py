"""The STOW-RS listener: accepts connections and gives each a thread."""

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
from msnode.receive.dicom.sop_classes import accepted
from msnode.receive.dicomweb.http_connection import HttpConnection
from msnode.receive.dicomweb.web_policy import WebPolicy
from msnode.receive.dicomweb.web_services import WebServices
from msnode.receive.dicomweb.web_session import WebSession
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.tcp_server import PENDING, TcpServer
from msnode.tls import ServerTls

log = logging.getLogger(__name__)

WATCH_S = 1.0


class WebListener:
    """STOW-RS origin server (PS3.18 10.5).

    Args:
        receive: the limits, as of the DICOM listener.
        web: the address and who may call.
        inbox: where instances go.
        trail: the audit trail.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    def __init__(
        self, receive: config.Receive, web: config.Dicomweb, inbox: Inbox, trail: Trail = SILENT
    ) -> None:
        self._receive = receive
        self._web = web
        self._pace = RateLimit()
        self._services = WebServices(
            receive,
            inbox,
            WebPolicy(web),
            accepted(receive.accept),
            ConnectionLimit(receive.max_associations),
            trail,
            Refusals(trail),
            self._pace,
        )
        self._tls = server_tls(web)
        self._lock = threading.Lock()
        self._sessions: set[WebSession] = set()
        self._server: TcpServer | None = None
        self._thread: threading.Thread | None = None
        self._watched = 0.0

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return self._web.port if self._server is None else int(self._server.server_address[1])

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
        gate = ConnectionLimit(self._receive.max_associations + PENDING)
        address, port = self._web.address, self._web.port
        sock = listening or server_socket.listen("receive.dicomweb", address, port)
        self._server = TcpServer(self, gate, sock)
        serving = self._server.serve_forever
        self._thread = threading.Thread(target=serving, name="dicomweb", daemon=True)
        self._thread.start()
        log.info("listening dicomweb port=%d", self.port)

    def stop(self, grace_s: float) -> None:
        """Take no more requests; those under way are answered, within ``grace_s``."""
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

    def _open_sessions(self) -> list[WebSession]:
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
        metrics.STOW_REQUESTS.labels("no_connection").inc()
        self._services.guard.refuse(address, "", "connections", "too many are open")

    def serve(self, sock: socket.socket, address: str) -> None:
        """A connection from the TLS handshake to its end, in its own thread."""
        if self._tls is not None:
            # the session does the handshake itself, so that it holds up nobody else
            sock = self._tls.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        limits = self._receive
        connection = HttpConnection(
            sock, limits.network_timeout_s, limits.max_association_s, limits.max_pdu
        )
        session = WebSession(connection, Peer(address), self._services)
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.discard(session)
            connection.close()


def server_tls(web: config.Dicomweb) -> ServerTls | None:
    """Its TLS, None without.

    A certificate is asked of all where every caller is known by one.

    Raises:
        ConfigError: the files cannot be used.
    """
    if web.tls is None:
        return None
    by_certificate = [caller.subject is not None for caller in web.callers]
    is_mutual = bool(by_certificate) and all(by_certificate)
    return ServerTls(web.tls, "receive.dicomweb.tls", is_mutual=is_mutual)

"""The DICOM listener: accepts connections and gives each a thread."""

import logging
import socket
import socketserver
import threading
import time
from typing import Any

from msnode import config, metrics
from msnode.receive.classes import accepted, contexts
from msnode.receive.commitment import Reports
from msnode.receive.gate import Gate
from msnode.receive.inbox import Inbox
from msnode.receive.policy import Policy
from msnode.receive.session import Session
from msnode.receive.tls import server_context
from msnode.receive.upper_layer import ARTIM_S, Connection

log = logging.getLogger(__name__)

PENDING = 128  # connections beyond the associations: they negotiate, linger, or only pretend to


class Listener:
    """C-ECHO and C-STORE SCP, and SCU of storage commitment for the reports that come to it.

    Args:
        receive: the configuration.
        inbox: where instances go.
        reports: where reports on storage commitment go, None if nobody is to send any.

    Raises:
        ConfigError: a setting cannot be used.
    """

    def __init__(
        self, receive: config.Receive, inbox: Inbox, reports: Reports | None = None
    ) -> None:
        self._config = receive
        self._inbox = inbox
        self._reports = reports
        self._policy = Policy(receive)
        self._supported = contexts(accepted(receive.accept))
        self._supported += reports.contexts() if reports is not None else []
        self._tls = server_context(receive.tls) if receive.tls else None
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(receive.max_associations)
        self._sessions: set[Session] = set()
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        if self._server is None:
            return self._config.port
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen, in threads of its own.

        Raises:
            OSError: the address cannot be listened on.
        """
        # twice, as one address may open all associations and gets half of the places
        gate = Gate(2 * self._config.max_associations + PENDING)
        self._server = _Server(self, gate, self._config.address, self._config.port)
        threading.Thread(target=self._server.serve_forever, name="listener", daemon=True).start()
        log.info("listening ae_title=%s port=%d", self._config.ae_title, self.port)

    def stop(self, grace_s: float) -> None:
        """Take no more associations; messages under way are answered, within ``grace_s``."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        end = time.monotonic() + grace_s
        while (sessions := self._open_sessions()) and time.monotonic() < end:
            for session in sessions:
                session.stop()
            time.sleep(0.05)
        for session in sessions:
            session.connection.interrupt()

    def _open_sessions(self) -> list[Session]:
        with self._lock:
            return list(self._sessions)

    def serve(self, sock: socket.socket, address: str) -> None:
        """A connection from the TLS handshake to its end, in its own thread."""
        sock.settimeout(ARTIM_S)
        if self._tls is not None:
            # here and not in accept(): a peer that stays silent must not hold up the others
            sock = self._tls.wrap_socket(sock, server_side=True)
        connection = Connection(sock, self._config.network_timeout_s, self._config.max_pdu)
        session = Session(
            connection,
            address,
            self._config,
            self._inbox,
            self._reports,
            self._policy,
            self._supported,
            self._slots,
        )
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.discard(session)
            connection.close()


class _Server(socketserver.ThreadingTCPServer):
    """Accepts connections; knows nothing of DICOM."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, listener: Listener, gate: Gate, address: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = listener
        self._gate = gate
        super().__init__((address, port), socketserver.BaseRequestHandler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Close what comes beyond its address's share before it costs a thread."""
        if self._gate.enter(client_address[0]):
            return True
        metrics.ASSOCIATIONS.labels("no_connection").inc()
        log.warning("connection refused peer=%s: too many are open", client_address[0])
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the connection's thread, if there can be one more."""
        try:
            super().process_request(request, client_address)
        except Exception:
            self._gate.leave(client_address[0])
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """A connection from its begin to its end; this is its own thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._gate.leave(client_address[0])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection."""
        address = client_address[0]
        try:
            self._listener.serve(request, address)
        except OSError as error:
            metrics.ASSOCIATIONS.labels("no_connection").inc()
            log.warning("connection failed peer=%s error=%s", address, error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Anything else is our own fault; the other connections go on."""
        log.error("connection broke off peer=%s", client_address[0], exc_info=True)

"""What all listeners have in common: a port, TLS, and the sessions of those who call."""

import logging
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from msnode import server_socket
from msnode.config import Tls
from msnode.receive.access.connection_limit import ConnectionLimit
from msnode.receive.access.rate_limit import RateLimit
from msnode.receive.tcp_server import PENDING, TcpServer
from msnode.tls import ServerTls

log = logging.getLogger(__name__)

WATCH_S = 1.0


class Link(Protocol):
    """A connection as a listener ends it."""

    def interrupt(self) -> None:
        """Cut it under whoever waits for it."""

    def close(self) -> None:
        """Close it."""


class Session(Protocol):
    """What becomes of one connection."""

    @property
    def connection(self) -> Link:
        """It goes over."""

    def run(self) -> None:
        """From the TLS handshake to the end."""

    def stop(self) -> None:
        """Come to an end; what is under way is answered."""


S = TypeVar("S", bound=Session)


def tls_for(tls: Tls | None, where: str, subjects: Iterable[str | None]) -> ServerTls | None:
    """The TLS of a listener whose callers may be known by certificate; None without.

    A certificate is asked of all where every caller is known by one.

    Args:
        tls: the files.
        where: the key of their section.
        subjects: of the callers; None for one who is not known by its certificate.

    Raises:
        ConfigError: the files cannot be used.
    """
    if tls is None:
        return None
    by_certificate = [subject is not None for subject in subjects]
    return ServerTls(tls, where, is_mutual=bool(by_certificate) and all(by_certificate))


class TcpListener(ABC, Generic[S]):
    """Accepts connections and gives each a session in a thread of its own.

    Args:
        section: of the configuration, by which it is called.
        address: to listen on.
        port: likewise; 0 takes a free one.
        most: sessions that may do something at a time; as many as `PENDING` more may be open.
        tls: None: plain TCP.
    """

    def __init__(
        self, section: str, address: str, port: int, most: int, tls: ServerTls | None
    ) -> None:
        self._section = section
        self._address = address, port
        self._gate = ConnectionLimit(most + PENDING)
        self._tls = tls
        self._pace = RateLimit()
        self._lock = threading.Lock()
        self._sessions: set[S] = set()
        self._server: TcpServer | None = None
        self._thread: threading.Thread | None = None
        self._watched = 0.0

    @abstractmethod
    def session(self, sock: socket.socket, address: str) -> S:
        """The session of a connection that was accepted."""

    @abstractmethod
    def turn_away(self, address: str) -> None:
        """Record a connection beyond its address's share."""

    def tend(self, sessions: Sequence[S], now: float) -> None:
        """Called once a second with the open sessions, and the monotonic time in seconds."""

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return self._address[1] if self._server is None else int(self._server.server_address[1])

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
        sock = listening or server_socket.listen(self._section, *self._address)
        self._server = TcpServer(self, self._gate, sock)
        serving = self._server.serve_forever
        self._thread = threading.Thread(target=serving, name=self._section, daemon=True)
        self._thread.start()
        log.info("listening %s port=%d", self._section, self.port)

    def stop(self, grace_s: float) -> None:
        """Take no more connections; what is under way is answered, within ``grace_s``."""
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

    def _open_sessions(self) -> list[S]:
        with self._lock:
            return list(self._sessions)

    def watch(self) -> None:
        """Tend the sessions, and reload changed TLS files; called often."""
        now = time.monotonic()
        if now < self._watched + WATCH_S:
            return
        self._watched = now
        self.tend(self._open_sessions(), now)
        if self._tls is not None:
            self._tls.refresh()

    def serve(self, sock: socket.socket, address: str) -> None:
        """A connection from the TLS handshake to its end, in its own thread."""
        if self._tls is not None:
            # the session does the handshake itself, so that it holds up nobody else
            sock = self._tls.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        session = self.session(sock, address)
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.discard(session)
            session.connection.close()

"""Where audit messages go: a file of the node's own, and a syslog server (PS3.15 A.6, A.7)."""

import contextlib
import logging
import logging.handlers
import os
import socket
import ssl
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol

from msnode import config
from msnode.tls import client_context

PRIORITY = 10 * 8 + 5  # facility security/authorization, severity notice (PS3.15 A.6)
MESSAGE_ID = "DICOM+RFC3881"
SEND_S = 10.0  # seconds to connect, and for the server to take a message
CLOSE_S = 1.0
BOM = b"\xef\xbb\xbf"


class Target(Protocol):
    """Takes messages, one at a time."""

    kind: str

    def write(self, message: bytes) -> None:
        """Take a message.

        Raises:
            OSError: not now.
        """

    def close(self) -> None:
        """Give up what is open."""


class File(logging.handlers.RotatingFileHandler):
    """A message a line, only ever appended to; a full file is put aside under a number.

    Args:
        path: of the file; its folder is made.
        audit: size and number of files.
    """

    def __init__(self, path: Path, audit: config.Audit) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        limit, others = audit.max_file_bytes, audit.files - 1
        super().__init__(path, maxBytes=limit, backupCount=others, encoding="utf-8", delay=True)
        self.kind = "file"

    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )

    def write(self, message: bytes) -> None:
        """Append a message; see ``Target``."""
        self.handle(logging.makeLogRecord({"msg": message.decode()}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """Called in the handling of an error, which is the caller's business, not stderr's."""
        raise


class Syslog:
    """RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587 3.4.1) or TLS (RFC 5425).

    Args:
        syslog: the server.
        host: our own name.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    kind = "syslog"

    def __init__(self, syslog: config.Syslog, host: str) -> None:
        self._server = syslog
        self._host = host
        if syslog.tls is not None:
            client_context(syslog.tls)  # a mistake shows now
        self._socket: socket.socket | None = None

    def write(self, message: bytes) -> None:
        """Send a message; see ``Target``. No syslog server says whether it kept it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = f"<{PRIORITY}>1 {now} {self._host} msnode {os.getpid()} {MESSAGE_ID} - "
        packet = head.encode("ascii", "replace") + BOM + message
        if self._server.transport == "udp":
            self._send_datagram(packet)
        else:
            self._send_framed(f"{len(packet)} ".encode() + packet)

    def _send_datagram(self, packet: bytes) -> None:
        """Send it there; unconnected, so that what others answer is no error of the next one."""
        family, kind, *_, address = self._look_up()
        with socket.socket(family, kind) as sender:
            sender.sendto(packet, address)

    def _look_up(self) -> tuple[Any, ...]:
        """The server's address, for datagrams."""
        server = self._server.host, self._server.port
        return socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)[0]

    def _send_framed(self, packet: bytes) -> None:
        if self._socket is None or self._is_closed(self._socket):
            self.close()
            self._socket = self._connect()
        try:
            self._socket.sendall(packet)
        except OSError:
            self.close()
            raise

    def reach(self) -> None:
        """Connect and hang up; over UDP nobody answers, so only look the server up.

        Raises:
            OSError: the server cannot be reached.
            ConfigError: the TLS files cannot be used.
        """
        if self._server.transport == "udp":
            self._look_up()
        else:
            self._connect().close()

    def _connect(self) -> socket.socket:
        """Connect, with the TLS files of this moment: they may have been renewed."""
        context = client_context(self._server.tls) if self._server.tls else None
        plain = socket.create_connection((self._server.host, self._server.port), SEND_S)
        if context is None:
            return plain
        return context.wrap_socket(plain, server_hostname=self._server.host)

    def _is_closed(self, connection: socket.socket) -> bool:
        """Whether the server has hung up: what is sent then is lost without an error."""
        connection.settimeout(0)
        try:
            return not connection.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(SEND_S)

    def close(self) -> None:
        """Close the connection, if there is one; TLS wants a word before (RFC 5425 4.4)."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError), self._socket:
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.settimeout(CLOSE_S)
                self._socket.unwrap().close()
        self._socket = None

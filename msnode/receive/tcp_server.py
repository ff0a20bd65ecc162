"""A server for any protocol: accepts connections within limits, a thread for each."""

import logging
import socket
import socketserver
import sys
from typing import Any, Protocol

from msnode.errors import origin
from msnode.receive.access.connection_limit import ConnectionLimit

log = logging.getLogger(__name__)

PENDING = 128
"""Connections besides those that are served: in negotiation, closing, or doing nothing."""


class Connections(Protocol):
    """What a listener does with its connections."""

    def serve(self, sock: socket.socket, address: str) -> None:
        """A connection from start to end, in its own thread."""

    def turn_away(self, address: str) -> None:
        """A connection is closed at once, as its address has too many."""

    def watch(self) -> None:
        """Called between connections, and twice a second."""


class TcpServer(socketserver.ThreadingTCPServer):
    """Gives each connection a thread; knows nothing of DICOM.

    Args:
        listener: whose connections they are.
        gate: how many may be open.
        sock: which listens already.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: Connections, gate: ConnectionLimit, sock: socket.socket) -> None:
        self._listener = listener
        self._gate = gate
        address = sock.getsockname()
        super().__init__(address, socketserver.BaseRequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock  # which listens already

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Close connections beyond their address's share before a thread is started for them."""
        if self._gate.enter(client_address[0]):
            return True
        self._listener.turn_away(client_address[0])
        return False

    def service_actions(self) -> None:
        """Called between connections, and twice a second."""
        self._listener.watch()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the connection's thread, if there can be one more."""
        try:
            super().process_request(request, client_address)
        except Exception:
            self._gate.leave(client_address[0])
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection from start to end, in its own thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._gate.leave(client_address[0])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection."""
        try:
            self._listener.serve(request, client_address[0])
        except OSError as error:  # gone before it began
            log.debug("connection lost peer=%s error=%s", client_address[0], error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log any other error, which is our own fault; other connections go on."""
        error = sys.exc_info()[1]
        told = origin(error) if error is not None else ("", "")  # its text may quote a header
        log.error("connection broke off peer=%s error=%s at=%s", client_address[0], *told)

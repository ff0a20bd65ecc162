"""Prometheus metrics and the two health checks, over HTTP on a thread of their own."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from operator import itemgetter
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import make_wsgi_app

from msnode import metrics, server_socket
from msnode.config import Http

log = logging.getLogger(__name__)

Check = Callable[[], tuple[bool, str]]
"""Answers (ok, reason in one line without patient data)."""

MAX_CONNECTIONS = 16
"""At once, each with its thread; Prometheus, a probe and a person need three."""
POLL_S = 0.1
"""How soon stop() and the end of a connection's time are noticed."""
CONNECTION_S = 10.0
"""A connection is cut after so many seconds, however slowly its client talks."""


class Monitor:
    """Serves ``/metrics``, ``/healthz`` (is the process sound?) and ``/readyz`` (will it work?).

    The checks answer 200 or 503 with their reason as plain text.

    Args:
        config: where.
        ready: whether it takes work.
        alive: whether it is sound.
        about: what ``/`` says to whoever looks for pages here.
    """

    def __init__(
        self, config: Http, ready: Check, alive: Check, about: str = "msnode: metrics and checks"
    ) -> None:
        self._config = config
        self._ready = ready
        self._app = _application({"/healthz": alive, "/readyz": ready}, about)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on: the configured one, or the one taken for 0."""
        return self._server.server_port if self._server else self._config.port

    def start(self, listening: socket.socket | None = None) -> None:
        """Answer from now on.

        Args:
            listening: the socket; None: it is made here.

        Raises:
            ConfigError: the address or the port is not to be had.
        """
        address, port = self._config.address, self._config.port
        sock = listening or server_socket.listen("http", address, port, MAX_CONNECTIONS)
        self._server = _Server(sock, self._app)
        metrics.READY.set_function(lambda: self._ready()[0])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; answers under way are cut off."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None


class _Server(ThreadingMixIn, WSGIServer):
    """A WSGI server with a bound on its connections and on the time of each."""

    daemon_threads = True

    def __init__(self, sock: socket.socket, app: WSGIApplication) -> None:
        self._since: dict[socket.socket, float] = {}
        super().__init__(sock.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock  # which listens already
        # without HTTPServer's look-up of our own name, which waits where DNS is down
        self.server_name, self.server_port = sock.getsockname()[:2]
        self.setup_environ()
        self.set_app(app)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a connection's thread and clock; where there are too many, the oldest goes.

        Answers take milliseconds, so whoever was there longest talks slowly or not at all: it
        must not keep the watchdog's question waiting.
        """
        while len(self._since) >= MAX_CONNECTIONS:
            oldest, _ = min(list(self._since.items()), key=itemgetter(1))
            self._since.pop(oldest, None)
            _cut(oldest)
        self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Free a connection's slot."""
        self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut connections whose time is over; called every POLL_S."""
        latest = time.monotonic() - CONNECTION_S
        for request in [r for r, since in list(self._since.items()) if since < latest]:
            _cut(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event for the log."""
        log.debug("connection lost", exc_info=True)


def _cut(request: socket.socket) -> None:
    """End a connection; its thread notices and closes it."""
    with contextlib.suppress(OSError):  # its thread has closed it meanwhile
        request.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    """One request a connection; requests go to the debug log, not to stderr."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        log.debug(format, *args)


def _application(checks: dict[str, Check], about: str) -> WSGIApplication:
    """Route a request: GET and HEAD of the metrics and of the checks, nothing else."""
    routes = {path: _check(check) for path, check in checks.items()}
    routes["/"] = _check(lambda: (True, f"{about}\nhere: /metrics, /healthz, /readyz"))
    routes["/metrics"] = make_wsgi_app()

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        answer = routes.get(environ["PATH_INFO"])
        if answer is None:
            return _text(start, "404 Not Found", "try /metrics, /healthz or /readyz")
        if environ["REQUEST_METHOD"] == "HEAD":
            return _head(answer, environ, start)
        if environ["REQUEST_METHOD"] != "GET":
            return _text(start, "405 Method Not Allowed", "use GET", ("Allow", "GET, HEAD"))
        return answer(environ, start)

    return application


def _check(check: Check) -> WSGIApplication:
    """A check as a page."""

    def page(_: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        ok, reason = check()
        return _text(start, "200 OK" if ok else "503 Service Unavailable", reason)

    return page


def _head(page: WSGIApplication, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Answer with the headers that GET would give."""
    answer: list[Any] = []
    body = page({**environ, "REQUEST_METHOD": "GET"}, lambda *args: answer.extend(args))  # type: ignore[arg-type]
    length = sum(map(len, body))
    start(answer[0], [*answer[1], ("Content-Length", str(length))])
    return []


def _text(start: StartResponse, status: str, text: str, *headers: tuple[str, str]) -> list[bytes]:
    """A line of plain text that nobody caches."""
    kind = ("Content-Type", "text/plain; charset=utf-8")
    start(status, [kind, ("Cache-Control", "no-store"), *headers])
    return [f"{text}\n".encode()]

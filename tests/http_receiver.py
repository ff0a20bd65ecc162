"""An HTTP server on loopback that keeps what comes and answers as a test wants."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Receiver:
    """What came in, and what to answer."""

    url: str
    answer: Answer
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.requests.append((self.path, dict(self.headers), body))
            receiver.answer(self)

        do_GET = do_POST  # noqa: N815 - as the library names it

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http" if context is None else "https"
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    receiver = Receiver(f"{scheme}://localhost:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def saying(code: int, content: Any, media_type: str = "application/json") -> Answer:
    """Answer with JSON."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps(content).encode()
        status(code, **{"Content-Type": media_type, "Content-Length": str(len(body))})(handler)
        handler.wfile.write(body)

    return answer

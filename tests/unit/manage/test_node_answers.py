"""What is taken from the port at which the node should answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from msnode.config import Http
from msnode.manage.node_metrics import fetch


@contextmanager
def answering(said: bytes) -> Iterator[Http]:
    """Somebody who says the same to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):  # the test is over, and nobody asked a second time
                for _ in range(2):
                    with listener.accept()[0] as one:
                        one.recv(4096)
                        one.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        yield Http(port=listener.getsockname()[1])


OK = b"HTTP/1.0 200 OK\r\n\r\nready\n"


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services of hospitals often have one, and it knows another localhost."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(OK.replace(b"ready\n", b"")) as http:
        found = fetch(http)
    assert found is not None
    assert found.is_ready


def test_somebody_else_at_the_port_is_no_node() -> None:
    with answering(b"\x03\x00\x00\x00\x00\x04\x00\x00\x00\x00 no HTTP\r\n") as http:
        assert fetch(http) is None

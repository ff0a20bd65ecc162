"""What is said of a port that is not to be had."""

import errno
import os
import socket

import pytest

from msnode import server_socket
from msnode.errors import ConfigError


def test_a_connection_waits_until_somebody_accepts_it() -> None:
    with (
        server_socket.listen("receive", "127.0.0.1", 0) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        client.sendall(b"early")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(5) == b"early"


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.EADDRINUSE, "http.port: 104 is in use on 127.0.0.1; end what uses it "
         "(ss -ltnp 'sport = :104' names it), or take another port"),
        (errno.EACCES, "http.port: 104 needs a privilege; give the service CAP_NET_BIND_SERVICE "
         "(docs/install.md), or take a port above 1023"),
        (errno.EADDRNOTAVAIL, "http.address: 127.0.0.1 is not of this host; take one of its own"),
        (errno.ENOBUFS, "http: 127.0.0.1 port 104 cannot be listened on: No buffer space "
         "available"),
    ],
)  # fmt: skip
def test_setting_and_port_are_named(
    number: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(socket.socket):
        def bind(self, _: object) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(ConfigError) as caught:
        server_socket.listen("http", "127.0.0.1", 104)
    assert str(caught.value) == line

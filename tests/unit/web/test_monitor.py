"""The monitor: what it answers, and that a hostile client takes nothing from the others."""

import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from msnode import metrics
from msnode.config import Http
from msnode.errors import ConfigError
from msnode.web import monitor


class State:
    """What the two checks answer."""

    ready = (True, "ready")
    alive = (True, "alive")


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def served(state: State) -> Iterator[monitor.Monitor]:
    server = monitor.Monitor(Http(port=0), lambda: state.ready, lambda: state.alive)
    server.start()
    yield server
    server.stop()


def ask(
    server: monitor.Monitor, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


def test_metrics_name_the_node(served: monitor.Monitor) -> None:
    metrics.FREE_BYTES.set_function(lambda: 12345)  # as the disk is measured
    status, headers, body = ask(served, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "\nmsnode_data_free_bytes 12345.0\n" in body


def test_metrics_speak_openmetrics_when_asked(served: monitor.Monitor) -> None:
    _, headers, body = ask(served, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_checks_give_status_and_reason(served: monitor.Monitor, state: State) -> None:
    assert ask(served, "/readyz")[::2] == (200, "ready\n")
    state.ready = (False, "the data disk is full")
    status, headers, body = ask(served, "/readyz")
    assert (status, body) == (503, "the data disk is full\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "\nmsnode_ready 0.0\n" in ask(served, "/metrics")[2]
    assert ask(served, "/healthz")[::2] == (200, "alive\n"), "not ready is not dead"
    state.alive = (False, "the work thread died")
    assert ask(served, "/healthz")[::2] == (503, "the work thread died\n")


def test_a_broken_check_is_no_success(state: State) -> None:
    def broken() -> tuple[bool, str]:
        raise RuntimeError("bug")

    server = monitor.Monitor(Http(port=0), broken, lambda: state.alive)
    server.start()
    try:
        assert ask(server, "/readyz")[0] == 500
        assert ask(server, "/healthz")[0] == 200
    finally:
        server.stop()


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_head_gives_the_headers_of_get(served: monitor.Monitor, path: str) -> None:
    status, headers, body = ask(served, path, "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 0


def test_whoever_looks_for_pages_is_told_where_they_are(served: monitor.Monitor) -> None:
    status, _, text = ask(served, "/")
    assert status == 200
    assert "/metrics" in text


@pytest.mark.parametrize("path", ["/x", "/metrics/x", "/../etc/passwd", "/%2e%2e/x", "/metrics%00"])
def test_other_paths_are_not_found(served: monitor.Monitor, path: str) -> None:
    assert ask(served, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"])
def test_other_methods_are_refused(served: monitor.Monitor, method: str) -> None:
    status, headers, _ = ask(served, "/metrics", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


def test_idle_and_dripping_clients_are_cut(
    served: monitor.Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "CONNECTION_S", 0.5)
    idle = socket.create_connection(("127.0.0.1", served.port), timeout=5)
    dripping = socket.create_connection(("127.0.0.1", served.port), timeout=5)
    dripping.sendall(b"GET /metrics HTTP/1.0\r\nX-Slow: ")
    with idle, dripping:
        assert idle.recv(1) == b"", "the server hangs up, before the client's own timeout"
        assert not dripping.recv(4096).startswith(b"HTTP/1.0 200")
    assert ask(served, "/healthz")[0] == 200


def test_whoever_talks_slowly_makes_room(served: monitor.Monitor) -> None:
    address = ("127.0.0.1", served.port)
    held = [socket.create_connection(address, timeout=5) for _ in range(monitor.MAX_CONNECTIONS)]
    for holder in held:
        holder.sendall(b"GET /metrics HTTP/1.1\r\n")
    for _ in range(3):
        assert ask(served, "/healthz")[0] == 200
    assert held[0].recv(1) == b"", "the oldest went"
    held[-1].sendall(b"\r\n")
    assert held[-1].recv(8) == b"HTTP/1.0", "the youngest did not"
    for holder in held:
        holder.close()


def test_connections_are_bounded_and_slots_come_back(
    served: monitor.Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "CONNECTION_S", 1.0)
    address = ("127.0.0.1", served.port)
    held = [socket.create_connection(address, timeout=5) for _ in range(monitor.MAX_CONNECTIONS)]
    for holder in held:
        assert holder.recv(1) == b""
        holder.close()
    assert ask(served, "/healthz")[0] == 200


def test_stop_closes_the_port_quickly_and_start_opens_it_again(served: monitor.Monitor) -> None:
    port = served.port
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        began = time.monotonic()
        served.stop()
        assert time.monotonic() - began < 2
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    served.start()
    assert ask(served, "/healthz")[0] == 200


def test_it_is_on_loopback_by_default(served: monitor.Monitor) -> None:
    assert Http().address == "127.0.0.1"
    with pytest.raises(ConfigError, match="in use"):
        monitor.Monitor(Http(port=served.port), lambda: State.ready, lambda: State.alive).start()


def test_ipv6(state: State) -> None:
    server = monitor.Monitor(Http(address="::1", port=0), lambda: state.ready, lambda: state.alive)
    try:
        server.start()
    except ConfigError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    try:
        with socket.create_connection(("::1", server.port), timeout=5) as client:
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.0 200")
    finally:
        server.stop()

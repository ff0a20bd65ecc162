"""The trail's targets: a file that rotates, syslog over UDP, TCP and TLS, and one that is down."""

import re
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from prometheus_client import REGISTRY

from msnode import audit, config
from msnode.audit import Node, Trail, Transfer, trail
from msnode.audit.targets import File, Syslog
from tests.integration.test_deliver_tls import issue

STUDY = Transfer(Node("MRI1", "10.1.2.3"), Node("MSNODE"), "1.2.3", "P-4711")
HEADER = r"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 \S+ msnode \d+ DICOM\+RFC3881 - "
MESSAGE = re.compile(HEADER.encode() + b"\xef\xbb\xbf<\\?xml.*</AuditMessage>")


def count(target: str, outcome: str) -> float:
    """Messages so far."""
    labels = {"target": target, "outcome": outcome}
    return REGISTRY.get_sample_value("msnode_audit_total", labels) or 0.0


def wait_until(condition: Callable[[], bool]) -> None:
    """At most five seconds."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_file_is_ours_alone_and_rotates(tmp_path: Path) -> None:
    settings = config.Audit(max_file_bytes=4000, files=3)
    node = config.Config(data=tmp_path, audit=settings)
    with closing(audit.open_trail(node, "serve")) as opened:
        for _ in range(20):
            opened.begin(STUDY)
    files = sorted((tmp_path / "audit").iterdir())
    assert [path.name for path in files] == [f"msnode-serve.log{n}" for n in ("", ".1", ".2")]
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    for path in files:
        assert path.stat().st_size <= 4000
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for line in path.read_text().splitlines():
            assert re.fullmatch(r"<\?xml.*</AuditMessage>", line)


def test_a_restart_appends(tmp_path: Path) -> None:
    node = config.Config(data=tmp_path)
    for _ in range(2):
        with closing(audit.open_trail(node, "serve")) as opened:
            opened.started()
            opened.stopped()
    text = (tmp_path / "audit/msnode-serve.log").read_text()
    assert re.findall('"Application (Start|Stop)"', text) == ["Start", "Stop"] * 2


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    node = config.Config(data=tmp_path, audit=config.Audit(file=False))
    with closing(audit.open_trail(node, "serve")) as opened:
        opened.begin(STUDY)
    assert list(tmp_path.iterdir()) == []


def test_a_target_may_be_down_for_days() -> None:
    assert [trail._pause(n) for n in (1, 2, 6, 7, 100_000)] == [1.0, 2.0, 32.0, 60.0, 60.0]


def test_syslog_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        target = Syslog(config.Syslog("127.0.0.1", server.getsockname()[1], "udp"), "host")
        with closing(Trail([target], Node("MSNODE"), "msnode")) as opened:
            opened.begin(STUDY)
            assert MESSAGE.fullmatch(server.recv(65536))


def read_framed(connection: socket.socket) -> bytes:
    """One message of a stream (RFC 6587 3.4.1)."""
    length = b""
    while (digit := connection.recv(1)) != b" ":
        assert digit.isdigit()
        length += digit
    message = b""
    while len(message) < int(length):
        message += connection.recv(int(length) - len(message))
    return message


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_syslog_over_a_connection_survives_its_end(tmp_path: Path, secure: bool) -> None:
    tls = issue(trustme.CA(), tmp_path, "localhost") if secure else None
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def accept() -> socket.socket:
            connection = server.accept()[0]
            connection.settimeout(5)
            if tls is None:
                return connection
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
            return context.wrap_socket(connection, server_side=True)

        syslog = config.Syslog("localhost", server.getsockname()[1], "tcp", tls)
        with closing(Trail([Syslog(syslog, "host")], Node("MSNODE"), "msnode")) as opened:
            for _ in range(2):  # the server restarts in between
                opened.begin(STUDY)
                with accept() as connection:
                    assert MESSAGE.fullmatch(read_framed(connection))
                    opened.begin(STUDY)
                    assert MESSAGE.fullmatch(read_framed(connection))


def test_a_target_that_is_down_costs_the_caller_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "BACKLOG", 3)
    monkeypatch.setattr(trail, "PAUSE_S", (0.05, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    lost, written = count("syslog", "lost"), count("file", "written")
    file = File(tmp_path / "audit.log", config.Audit())
    target = Syslog(config.Syslog(address[0], address[1]), "host")
    with closing(Trail([file, target], Node("MSNODE"), "msnode")) as opened:
        start = time.monotonic()
        for number in range(10):
            opened.begin(STUDY)
            wait_until(lambda: count("file", "written") == written + number + 1)  # noqa: B023
        assert time.monotonic() - start < 2
        assert count("syslog", "lost") - lost in (6, 7)  # three wait, one is being tried
        with socket.create_server(address) as server:  # it comes back
            server.settimeout(5)
            with server.accept()[0] as connection:
                assert MESSAGE.fullmatch(read_framed(connection))
                read_framed(connection)


def test_what_a_dead_target_did_not_get_is_counted_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    before = count("syslog", "lost")
    target = Syslog(config.Syslog(address[0], address[1]), "host")
    with closing(Trail([target], Node("MSNODE"), "msnode")) as opened:
        for _ in range(5):
            opened.begin(STUDY)
    assert count("syslog", "lost") - before == 5


def test_a_full_disk_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "PAUSE_S", (0.01, 0.01))
    folder = tmp_path / "gone"
    file = File(folder / "audit.log", config.Audit())
    folder.rmdir()
    with closing(Trail([file], Node("MSNODE"), "msnode")) as opened:
        opened.begin(STUDY)
        time.sleep(0.1)
        folder.mkdir()
        wait_until(lambda: (folder / "audit.log").exists())
    assert threading.active_count() < 50
    assert (folder / "audit.log").read_text().count("\n") == 1

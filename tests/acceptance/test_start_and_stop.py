"""The first minute and the last: ports, images before the model is there, SIGTERM at any moment."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from msnode import sample
from tests.acceptance import peers
from tests.acceptance.node import Node

MOMENTS = 25
"""Of a start, at which it is told to stop."""


def settings(folder: Path, **receive: object) -> dict[str, object]:
    """A node that nobody but this machine reaches."""
    return {
        "data": str(folder / "data"),
        "receive": {"address": "127.0.0.1", "port": peers.free_port(), **receive},
        "http": {"port": peers.free_port()},
        "complete": {"quiet_s": 1.0, "idle_s": 2.0, "cap_s": 60.0},
        "classify": {"device": "cpu"},
        "lesions": {"bundle": None},  # not what this is about
        "destinations": [{"name": "folder", "folder": str(folder / "results")}],
    }


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Not started yet."""
    node = Node(settings(tmp_path), tmp_path)
    yield node
    node.kill_if_alive()


def begun(node: Node, *before: str) -> "subprocess.Popen[bytes]":
    """Start the node and wait for nothing."""
    file = node.folder / "msnode.yaml"
    file.write_text(yaml.safe_dump(node.settings))
    command = [*before, *node.on, sys.executable, "-m", "msnode", "serve", "--config", str(file)]
    with node.log.open("wb") as output:
        node.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    return node.process


def refused(node: Node, *before: str) -> str:
    """The one line of a node that does not start, and starts nothing."""
    process = begun(node, *before)
    assert process.wait(60) == 1
    assert not Path(str(node.settings["data"])).exists(), "nothing was begun"
    (line,) = node.log.read_text().splitlines()
    return line


@pytest.mark.parametrize("section", ["receive", "http"])
def test_a_port_in_use_is_one_line(node: Node, section: str) -> None:
    port = node.settings[section]["port"]
    with closing(socket.create_server(("127.0.0.1", port))):
        line = refused(node)
    assert line == (
        f"Error: {section}.port: {port} is in use on 127.0.0.1; end what uses it "
        f"(ss -ltnp 'sport = :{port}' names it), or take another port"
    )


def test_a_port_without_the_privilege_is_one_line(node: Node) -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) - 1
    if low < 1:
        pytest.skip("every port may be taken here")
    node.settings["receive"]["port"] = low
    unprivileged = (peers.tool("setpriv", "util-linux"), "--bounding-set=-net_bind_service")
    line = refused(node, *unprivileged, "--inh-caps=-net_bind_service")
    assert line.startswith(
        f"Error: receive.port: {low} needs a privilege; give the service CAP_NET"
    )


def test_images_are_taken_while_the_model_is_being_loaded(node: Node) -> None:
    folder = node.folder / "study"
    paths = sample.write_study(folder)
    begun(node)
    peers.wait(lambda: peers.listening(node.port), 60, "the port")
    sent = peers.dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", node.port, *paths)
    status, words = node.get("/readyz")
    assert sent.returncode == 0, sent.stderr
    assert (status, words) == (503, "starting: images are taken, the model is being loaded\n")
    assert node.get("/healthz")[0] == 200
    results = node.folder / "results"
    peers.wait(lambda: len(list(results.glob("*.dcm"))) == 2, 180, "the result")
    assert node.terminate() < 10


def stopped_after(node: Node, seconds: float | None) -> float:
    """Start and stop: so long after the first line, or when ready; returns how long that was."""
    process = begun(node)
    peers.wait(lambda: node.log.stat().st_size, 60, "its first line")
    first = time.monotonic()
    if seconds is None:
        peers.wait(lambda: " ready " in node.log.read_text(), 180, "the node to be ready")
    else:
        time.sleep(seconds)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, node.log.read_text()
    assert time.monotonic() - told < 10, f"{told - first:.1f} s after its first line"
    return told - first


@pytest.mark.timeout(1800)
@pytest.mark.long
def test_sigterm_is_obeyed_at_any_moment_of_the_start(node: Node) -> None:
    """A node that is ready, then so many moments spread over the time that it took to be so."""
    paths = sample.write_study(node.folder / "study")

    whole = stopped_after(node, None)
    for part in range(MOMENTS):
        stopped_after(node, whole * part / MOMENTS)
    begun(node)
    peers.wait(lambda: node.get("/readyz")[0] == 200, 180, "a node that starts after all that")
    sent = peers.dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", node.port, *paths)
    assert sent.returncode == 0
    results = node.folder / "results"
    peers.wait(lambda: len(list(results.glob("*.dcm"))) == 2, 180, "the result")


def test_sigterm_before_anything_is_begun(node: Node) -> None:
    """Before its first line it may end by the signal itself: there is nothing to be lost."""
    for moment in (0.0, 0.1, 0.2):
        process = begun(node)
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)

"""The process of the pages: beside the node, started again, gone with it, deaf to slow clients."""

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.acceptance import peers
from tests.acceptance.node import Node
from tests.acceptance.small_node import small_node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = small_node(tmp_path, tmp_path / "data", pages={"port": peers.free_port()})
    made.start()
    yield made
    made.kill_if_alive()


def answers(node: Node) -> bool:
    """Whether the pages answer."""
    port = node.settings["pages"]["port"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def child(node: Node) -> int:
    """The process of the pages; 0 where there is none."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may have ended meanwhile
            words = path.read_bytes().split(b"\0")
            if b"pages" in words and str(node.folder / "msnode.yaml").encode() in words:
                return int(path.parent.name)
    return 0


def test_the_pages_live_and_die_with_the_node(node: Node) -> None:
    peers.wait(lambda: answers(node), 30, "the pages")
    os.kill(child(node), signal.SIGKILL)
    peers.wait(lambda: not answers(node), 10, "the pages to be away")
    assert node.get("/readyz")[0] == 200
    peers.wait(lambda: answers(node), 30, "the pages to be there again")
    assert node.metric("msnode_pages_ends_total") == 1
    node.kill()
    peers.wait(lambda: not child(node), 10, "the pages to end with a node that was killed")
    node.start()
    peers.wait(lambda: answers(node), 30, "the pages of the next start")
    assert node.terminate() < 10
    assert not child(node)


SLOW = 100


def test_slow_clients_keep_nobody_out(node: Node) -> None:
    peers.wait(lambda: answers(node), 30, "the pages")
    place = "127.0.0.1", node.settings["pages"]["port"]
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(place)) for _ in range(SLOW)]
        half = [stack.enter_context(socket.create_connection(place)) for _ in range(SLOW)]
        for one in half:
            one.sendall(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\naccount=")
        more = [stack.enter_context(socket.create_connection(place)) for _ in range(SLOW)]
        for one in more:
            one.sendall(b"GET /login HTTP/1.1\r\nX-Header: drips")
        began = time.monotonic()
        assert answers(node)
        assert time.monotonic() - began < 2
        # who says nothing is cut after ten seconds
        silent[-1].settimeout(20)
        assert silent[-1].recv(1) == b""

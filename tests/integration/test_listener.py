"""The listener when it is our own fault."""

import re
import socket
from collections.abc import Callable

import pytest

from msnode.receive.association import AssociationThread
from tests.acceptance.peers import wait
from tests.integration.listening import Receiver

Listen = Callable[..., Receiver]


def test_a_listener_that_has_ended_says_so(listen: Listen) -> None:
    listener = listen().listener
    assert listener.is_alive
    assert listener._server is not None
    assert listener._thread is not None
    listener._server.shutdown()
    listener._thread.join(5)
    assert not listener.is_alive


def test_a_fault_of_our_own_is_told_without_what_it_quotes(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(_: AssociationThread) -> None:
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(AssociationThread, "run", stumble)
    host, port = listen().peer
    socket.create_connection((host, int(port)), 5).close()
    place = "error=KeyError at=test_listener"
    wait(lambda: re.search(f"broke off .* {place}", caplog.text) is not None, 5, "a line")
    assert "Doe" not in caplog.text

"""Many at once: who is busy is not sent away for those who say nothing; passwords wait in line."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from msnode.pages import server
from msnode.pages.access import login, sessions
from msnode.pages.frame.site import Site
from tests.pages_site import served, site_in

CROWD = 40


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


def test_an_upload_goes_on_beside_a_crowd(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 20)
    token = sessions.begin(site, "anna", frozenset({"administrator"}), "oidc")
    head = (
        f"POST /upload/{'0' * 32} HTTP/1.1\r\nHost: a\r\nCookie: msnode={token}\r\n"
        f"X-CSRF-Token: {sessions.csrf_of(token)}\r\nContent-Length: 2000\r\n\r\n"
    )
    with served(site) as url, ExitStack() as stack:
        place = "127.0.0.1", int(urlsplit(url).port or 0)
        upload = stack.enter_context(socket.create_connection(place))
        upload.sendall(head.encode() + bytes(1000))
        time.sleep(0.2)
        for _ in range(CROWD):
            stack.enter_context(socket.create_connection(place))
        for _ in range(CROWD):  # they have said something, and wait for nothing but themselves
            half = stack.enter_context(socket.create_connection(place))
            half.sendall(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na=")
            upload.sendall(bytes(10))
        upload.sendall(bytes(1000 - 10 * CROWD))
        upload.settimeout(10)
        assert upload.recv(100).startswith(b"HTTP/1.1 415 ")  # read to its end: no DICOM


def test_few_passwords_are_checked_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 64 MiB, and whoever knows the address may ask for one."""
    under_way, most, lock = 0, 0, threading.Lock()

    def known(*_: object) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1

    monkeypatch.setattr(login, "_known", known)
    with served(site) as url, ThreadPoolExecutor(20) as pool:

        def try_in(number: int) -> int:
            form = {"account": f"nobody{number}", "password": "x"}
            return httpx2.post(f"{url}/login", data=form).status_code

        assert set(pool.map(try_in, range(20))) == {403}
    assert most == login.CHECKED_AT_ONCE

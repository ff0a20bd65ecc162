"""What the pages cost: how soon each is there, and what is received while people look at them.

A node's data folder with so many studies and their results, one of them with images; `msnode pages`
as a process of its own, with its niceness. Requests go over one connection, one after the other,
as of one browser. Then the same images are received, in turn, while nobody looks and while readers
click as fast as people do: worklist, a result with ten of its slices, the node's state.

    python -m bench.pages [--studies 10000] [--images 640] [--repeats 5] [--readers 4]
"""

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench.receive import free_port, make_images, send, wait_for
from bench.servers import NAGLE_OFF
from msnode.pages.access import sessions
from msnode.pages.access.roles import ROLES
from msnode.pages.frame.site import Site
from tests import clinic_results
from tests.pages_site import site_in

LIMITS_MS = {"worklist": 300.0, "first page": 300.0, "a slice, warm": 50.0}
"""What was asked for."""
PAUSE_S = 0.2
"""Between a reader's clicks."""


class Browser:
    """One connection of somebody who is logged in."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Cookie": cookie, "Accept": "text/html"}

    def get(self, path: str) -> float:
        """Milliseconds until a page is there whole."""
        start = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        return 1000 * (time.perf_counter() - start)


def furnished(site: Site, folder: Path, studies: int) -> str:
    """Fill a node; returns the key of the study with images."""
    clinic_results.many(site, studies)
    return clinic_results.keep_result(site, clinic_results.compared(folder))


@contextmanager
def pages(config_file: Path, port: int) -> Iterator[float]:
    """Serve them; yields seconds until the first answer."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "msnode", "pages", "--until-eof", "--config", str(config_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while True:
            try:
                Browser(port, "").get("/healthz")
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the pages do not start") from None
                time.sleep(0.02)
        yield time.perf_counter() - start
        process.communicate()


def walk(key: str) -> dict[str, str]:
    """What is looked at, by what it is."""
    return {
        "first page": "/worklist",
        "worklist": "/worklist",
        "result": f"/results/{key}",
        "a slice": f"/results/{key}/1/slices/now/1",
        "a slice, warm": f"/results/{key}/1/slices/now/2",
        "patient": f"/patients/{key}",
        "node": "/node",
        "studies": "/studies",
        "a study": f"/studies/{key}",
        "jobs": "/jobs",
    }


def times(browser: Browser, key: str, repeats: int) -> None:
    """How soon each page is there."""
    print(f"{'':16}{'median ms':>11}{'highest':>9}{'asked for':>11}")
    for what, path in walk(key).items():
        number = 1 if what in ("first page", "a slice") else repeats
        found = [browser.get(path) for _ in range(number)]
        limit = f"{LIMITS_MS[what]:.0f}" if what in LIMITS_MS else ""
        print(f"{what:16}{statistics.median(found):>11.1f}{max(found):>9.1f}{limit:>11}")


class Readers:
    """People who look at pages until they are told to stop."""

    def __init__(self, number: int, port: int, cookie: str, key: str) -> None:
        self._stop = threading.Event()
        self.clicks = 0
        slices = [f"/results/{key}/1/slices/now/{index}" for index in range(10)]
        self._paths = ["/worklist", f"/results/{key}", *slices, "/node"]
        target, arguments = self._read, (port, cookie)
        self._threads = [threading.Thread(target=target, args=arguments) for _ in range(number)]

    def _read(self, port: int, cookie: str) -> None:
        browser = Browser(port, cookie)
        while not self._stop.is_set():
            for path in self._paths:
                browser.get(path)
                self.clicks += 1
                if self._stop.wait(PAUSE_S):
                    return

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def received(data: Path, parent: Path, count: int) -> float:
    """Images per second into the node whose pages are looked at."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        images, port = Path(name), free_port()
        make_images(images, count)
        command = [sys.executable, "-m", "bench.receive", "--listen", str(data), str(port)]
        with subprocess.Popen(command, env=NAGLE_OFF, stderr=subprocess.DEVNULL) as server:
            wait_for(port, server)
            os.sync()
            seconds = send(images, port, 4)
            server.terminate()
        return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--readers", type=int, default=4)
    arguments = parser.parse_args()
    if shutil.which("dcmsend") is None:
        raise SystemExit("dcmsend is missing: apt-get install dcmtk")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        settings = {"data": str(folder / "data"), "pages": {"port": port, "patients": True}}
        config_file = folder / "msnode.yaml"
        config_file.write_text(yaml.safe_dump(settings | {"http": {"port": free_port()}}))
        with site_in(folder, {"port": port}) as site:
            key = furnished(site, folder, arguments.studies)
            token = sessions.begin(site, "bench", frozenset(ROLES), "oidc")
            cookie = f"{sessions.cookie_name(site)}={token}"
        with pages(config_file, port) as start:
            print(f"{os.cpu_count()} cores, {arguments.studies} studies; started in {start:.1f} s")
            times(Browser(port, cookie), key, 8 * arguments.repeats)
            alone, looked_at, clicks = [], [], 0
            for _ in range(arguments.repeats):
                alone.append(received(folder / "data", folder, arguments.images))
                with Readers(arguments.readers, port, cookie, key) as readers:
                    looked_at.append(received(folder / "data", folder, arguments.images))
                clicks += readers.clicks
        before, beside = statistics.median(alone), statistics.median(looked_at)
        print(f"received, images/s: {before:.0f} alone ({min(alone):.0f}-{max(alone):.0f}), "
              f"{beside:.0f} ({min(looked_at):.0f}-{max(looked_at):.0f}) beside "
              f"{arguments.readers} readers ({clicks} clicks): {beside / before:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()

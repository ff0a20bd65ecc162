"""What an upload was answered with 200 survives kill -9, whole and exactly once.

As `test_receive_crash`, for uploads. The long run is `MSNODE_KILLS=20 pytest` with this file.
"""

import http.client
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.integration.crashing import UPLOAD_POINTS, Stop
from tests.integration.pages_host import main
from tests.integration.test_receive_crash import (
    PROCESSES,
    Image,
    Scanner,
    assert_kept,
    assert_whole,
    receiver,
    stops,
)

KILLS = int(os.environ.get("MSNODE_KILLS", 3))
SEED = int(os.environ.get("MSNODE_SEED", 1))
OFTEN = {"mkdir": 3, "commit": 5, "fsync-folder": 5, "answer-page": 8}
"""How often at least a run passes a point; at the others once an image and more."""
Told = tuple[str, str, str]


class Uploader(Scanner):
    """Sends by the pages, a file a request."""

    def upload(self, told: Told, shares: list[list[Image]]) -> None:
        """Two at a time, each to its end or to the first that is not answered."""
        with ThreadPoolExecutor(2) as senders:
            for taken in senders.map(lambda share: list(_taken(told, share)), shares):
                self.acknowledged |= set(taken)


def _taken(told: Told, share: list[Image]) -> Iterator[str]:
    """The UIDs that were answered with 200."""
    url, cookie, token = told
    headers = {"Cookie": f"msnode={cookie}", "X-CSRF-Token": token}
    for image in share:
        connection = http.client.HTTPConnection(url.partition("://")[2], timeout=30)
        try:
            connection.request("POST", f"/upload/{'ab' * 16}", image.path.read_bytes(), headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()
        if answer.status == 200:
            assert said["outcome"] in ("stored", "duplicate")
            yield image.uid


@contextmanager
def pages(folder: Path, stop: Stop | None) -> Iterator[tuple[BaseProcess, Told]]:
    """The pages in a process of their own, and how to reach them."""
    ours, its = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=main, args=(folder, its, stop))
    process.start()
    its.close()
    try:
        yield process, ours.recv()
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_nothing_uploaded_and_answered_is_lost_when_killed(tmp_path: Path) -> None:
    folder, sent = tmp_path / "node", tmp_path / "sent"
    folder.mkdir()
    sent.mkdir()
    uploader, dice = Uploader(sent), random.Random(SEED)
    shares: list[list[Image]] = []
    points = stops(dice, None, UPLOAD_POINTS, OFTEN)
    for run, stop in zip(range(KILLS), points, strict=False):
        again, shares = shares[:1], uploader.shares(run)
        with pages(folder, stop) as (process, told):
            if stop is None:
                threading.Timer(dice.uniform(0.02, 0.4), process.kill).start()
            uploader.upload(told, again + shares)
            process.join(20)
            assert process.exitcode == -signal.SIGKILL, f"seed {SEED}: never came to {stop}"
        with receiver(folder / "data"):  # what the node finds at its next start
            assert_kept(folder / "data", uploader.acknowledged)
    assert uploader.acknowledged
    with receiver(folder / "data"):
        assert_whole(folder / "data")

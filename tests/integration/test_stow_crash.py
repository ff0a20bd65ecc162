"""What STOW-RS answered with 200 or 202 survives kill -9, whole and exactly once.

As `test_receive_crash`, over HTTP. The long run is `MSNODE_KILLS=20 pytest` with this file.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.integration.crashing import STOW_POINTS
from tests.integration.stowing import multipart, post
from tests.integration.test_receive_crash import Image, Scanner, kill_again_and_again

KILLS = int(os.environ.get("MSNODE_KILLS", 3))
AT_ONCE = 4  # images a request
OFTEN = {"mkdir": 5, "commit": 5, "fsync-folder": 8, "answer-http": 8}
"""How often at least a run passes a point; at the others once an image and more."""


class StowScanner(Scanner):
    """Sends by STOW-RS, some images a request."""

    def send(self, port: int, shares: list[list[Image]]) -> None:
        """Send from all sides at once, each to its end or to the first refusal."""
        with ThreadPoolExecutor(len(shares)) as senders:
            for stored in senders.map(lambda share: set(_send(port, share)), shares):
                self.acknowledged |= stored


def _send(port: int, share: list[Image]) -> Iterator[str]:
    """The UIDs that were acknowledged."""
    for start in range(0, len(share), AT_ONCE):
        body = multipart(image.path.read_bytes() for image in share[start : start + AT_ONCE])
        pieces = (body[i : i + 20_000] for i in range(0, len(body), 20_000))
        try:
            answer = post(port, pieces)
        except (OSError, HTTPException):
            return
        yield from answer.stored()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_nothing_acknowledged_by_stow_is_lost_when_killed(tmp_path: Path) -> None:
    folder, sent = tmp_path / "data", tmp_path / "sent"
    folder.mkdir()
    sent.mkdir()
    scanner = StowScanner(sent)
    kill_again_and_again(folder, scanner, None, KILLS, STOW_POINTS, OFTEN, by_web=True)
    assert not list((folder / "quarantine").iterdir()), "a whole file was put aside"

"""Seconds from a study's last image to its result in the PACS, on the machine at hand.

A node (`msnode serve`) and a receiving PACS on loopback; the sample study is sent again and again
as a new study. The quiet time, which is configured and not work, is told apart.

    python bench/latency.py [--model models/hybrid] [--studies 5]
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from pydicom.uid import generate_uid

from msnode import sample
from msnode.cli.demo import OBJECTS, QUIET_S, Pacs, node
from msnode.config import BUNDLE
from msnode.deliver.c_store import send
from msnode.requestor.peer import parse_peer


def measure(folder: Path, pacs: Pacs, port: int, number: int) -> float:
    """Send one study; returns the seconds until its second object is in the PACS."""
    study_uid = generate_uid()
    files = sample.write_study(folder / f"study-{number}", study_uid=study_uid)
    peer = parse_peer(f"MSNODE@127.0.0.1:{port}")
    receipts = send(files, peer, "SCANNER")
    assert all(receipt.delivered for receipt in receipts)
    began = time.perf_counter()
    assert len(pacs.wait(study_uid)) == OBJECTS, "no result"
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLE)
    parser.add_argument("--studies", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            Pacs(folder / "pacs") as pacs,
            node(folder, arguments.model, pacs.port) as (port, _),
        ):
            seconds = [measure(folder, pacs, port, n) for n in range(arguments.studies)]
    work = [each - QUIET_S for each in seconds]
    print("last image to result, seconds        min  median     max")
    for what, values in (("with the quiet time", seconds), (f"without ({QUIET_S:.0f} s)", work)):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{what:32} {low:7.2f} {middle:7.2f} {high:7.2f}")


if __name__ == "__main__":
    main()

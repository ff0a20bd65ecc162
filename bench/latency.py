"""Seconds from a study's last image to its result in the PACS, on the machine at hand.

A node (`msnode serve`) and a receiving PACS on loopback; the sample study is sent again and again,
first each time as another patient's, then each time as a later study of the same patient, which is
compared with the earlier one. The quiet time, which is configured and not work, is left out.

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
from msnode.cli.demo import OBJECTS, QUIET_S, Pacs, _stages, node
from msnode.config import BUNDLE
from msnode.deliver.c_store import send
from msnode.requestor.peer import parse_peer
from msnode.sample import FLAIR, Identity


def measure(folder: Path, pacs: Pacs, port: int, patient_id: str, study_date: str) -> float:
    """Send one study; returns the seconds beyond the quiet time until its result is in the PACS."""
    study_uid = generate_uid()
    identity = Identity(patient_id=patient_id, study_uid=study_uid, study_date=study_date)
    files = sample.write_series(sample.nifti(), folder / study_uid, FLAIR, identity)
    peer = parse_peer(f"MSNODE@127.0.0.1:{port}")
    receipts = send(files, peer, "SCANNER")
    assert all(receipt.delivered for receipt in receipts)
    began = time.perf_counter()
    assert len(pacs.wait(study_uid)) == OBJECTS, "no result"
    return time.perf_counter() - began - QUIET_S


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLE)
    parser.add_argument("--studies", type=int, default=5, help="of each kind, at most 12")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            Pacs(folder / "pacs") as pacs,
            node(folder, arguments.model, pacs.port) as (port, http),
        ):
            measure(folder, pacs, port, "FIRST", "20000101")  # everything is warm after it
            dates = [f"2020{number + 1:02}01" for number in range(arguments.studies)]
            alone = [measure(folder, pacs, port, f"NEW-{date}", date) for date in dates]
            measure(folder, pacs, port, "KNOWN", "20000101")
            compared = [measure(folder, pacs, port, "KNOWN", date) for date in dates]
            assert "compare" in _stages(http), "nothing was compared"
    print(f"last image to result beyond the quiet time of {QUIET_S:.0f} s, seconds")
    print(f"{'':28}    min  median     max")
    for what, values in (("nothing to compare with", alone), ("compared", compared)):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{what:28} {low:6.2f}  {middle:6.2f}  {high:6.2f}", flush=True)


if __name__ == "__main__":
    main()

"""A whole node on the machine at hand: what it takes while idle, and studies an hour by stage.

A node (`msnode serve`, as the demo sets it up: pages, lesions outlined, the scan graded) and a PACS
on loopback. First nothing is sent for a while. Then studies come one after the other without a
pause, each of another patient, so that nothing is compared: the sample of 36 slices of 4 mm, and
the same head as 160 slices of 0.9 mm, interpolated. An hour's number is that of the time from the
first image sent to the last result in the PACS.

    python -m bench.node [--studies 8] [--thin 3] [--idle 60]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from pydicom.uid import generate_uid
from scipy import ndimage

from bench import processes
from bench.receive import machine
from msnode import sample
from msnode.cli.demo import OBJECTS, Pacs, _stages, node
from msnode.config import BUNDLE
from msnode.deliver.c_store import send
from msnode.requestor.peer import parse_peer
from msnode.sample import FLAIR, Identity

SETTLED_S = 45.0
"""After its start a node still looks often whether there is something to do."""
THIN_MM = 0.9


def thin(folder: Path) -> Path:
    """The sample as thin slices."""
    image = cast(SpatialImage, nibabel.load(sample.nifti()))
    thick = float(image.header.get_zooms()[2])
    voxels = np.asarray(image.dataobj, np.float32)
    voxels = ndimage.zoom(voxels, [1, 1, thick / THIN_MM], order=1)
    affine = np.array(image.affine)
    affine[:, 2] *= THIN_MM / thick
    path = folder / "thin.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.rint(voxels).astype(np.int16), affine), path)
    return path


def idle(pid: int, seconds: float) -> None:
    """Print what a node takes while nothing comes."""
    time.sleep(SETTLED_S)
    every = processes.below(pid)
    before = processes.cpu_seconds(every)
    time.sleep(seconds)
    share = (processes.cpu_seconds(every) - before) / seconds
    memory = processes.memory_bytes(every) / 1e9
    print(f"idle: {share:.1%} of a core, {memory:.2f} GB in {len(every)} processes\n", flush=True)


def studies(nifti: Path, count: int, folder: Path, port: int, http: int, pacs: Pacs) -> None:
    """Print studies an hour, and seconds by stage."""
    uids = [str(generate_uid()) for _ in range(count)]
    files = [
        sample.write_series(
            nifti, folder / uid, FLAIR, Identity(patient_id=uid[-16:], study_uid=uid)
        )
        for uid in uids
    ]
    peer, before = parse_peer(f"MSNODE@127.0.0.1:{port}"), _stages(http)
    began = time.perf_counter()
    for one in files:
        if refused := [each for each in send(one, peer, "SCANNER") if not each.delivered]:
            raise SystemExit(f"not taken: {refused[0]}")
    for uid in uids:
        while len(pacs.wait(uid)) < OBJECTS:
            print("still waiting", flush=True)
    took = time.perf_counter() - began
    stages = {name: seconds - before.get(name, 0) for name, seconds in _stages(http).items()}
    told = ", ".join(f"{name} {seconds / count:.2f}" for name, seconds in stages.items())
    print(f"{count} studies of {len(files[0])} slices: {3600 * count / took:.0f} an hour")
    print(f"  seconds a study, two at a time: {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=8)
    parser.add_argument("--thin", type=int, default=3)
    parser.add_argument("--idle", type=float, default=60.0)
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Pacs(folder / "pacs") as pacs:
            began = time.perf_counter()
            with node(folder, BUNDLE, pacs.port) as (port, http):
                print(f"ready {time.perf_counter() - began:.1f} s after the start")
                if arguments.idle:
                    idle(os.getpid(), arguments.idle)
                studies(sample.nifti(), arguments.studies, folder, port, http, pacs)
                if arguments.thin:
                    studies(thin(folder), arguments.thin, folder, port, http, pacs)


if __name__ == "__main__":
    main()

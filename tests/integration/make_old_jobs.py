"""Make the fixture of test_upgrade.py: jobs that an older version has begun, one a step.

It runs the older version's own code, so its modules are imported by name:

    git archive 062237c | tar -x -C OLD
    PYTHONPATH=OLD python tests/integration/make_old_jobs.py tests/integration/upgrade/v1.tar.xz

The studies are the sample (CREDITS.md beside it) in coarse, each under a UID of its own; the model
is small and knows nothing. Each study stops where its name says, by a step that does its work and
then never returns, as if the process had been killed just before the step's end was recorded.
"""

import os
import shutil
import sys
import tarfile
import tempfile
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch

ROOT = "@DATA@"
"""Stands for the data folder in files that name files."""
STEPS = ("prepare", "classify", "report", "finish", "deliver")
STATES = ("receiving", "unsubmitted", *STEPS, "waiting", "done")
UIDS = {state: f"1.2.826.0.1.3680043.8.498.77.{n}" for n, state in enumerate(STATES, 1)}


def main(archive: Path) -> None:
    """Run the old version in a process of its own, then pack what it left."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        if child := os.fork():
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        else:
            run(data, Path(name))
        for path in data.rglob("*.json"):
            path.write_text(path.read_text().replace(str(data), ROOT))
        shutil.rmtree(data / "incoming")
        (data / "msnode.sqlite-shm").unlink(missing_ok=True)
        with tarfile.open(archive, "w:xz", preset=9) as packed:
            packed.add(data, "data", filter=nobody)
            packed.add(Path(name) / "bundle", "bundle", filter=nobody)


def nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing of the machine it was made on."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def run(data: Path, folder: Path) -> None:
    """Be the old version until every study stands where it should."""
    volume = coarse(folder / "coarse.nii.gz")
    save_model(folder / "bundle")
    config = import_module("msnode.config")
    database = import_module("msnode.database")
    engine = database.open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    database.migrate(engine)
    inbox = import_module("msnode.receive").Inbox(engine, data)
    archive = config.Destination("archive", folder=folder / "archive")
    settings = config.Config(data=data, destinations=(archive,))
    classify = import_module("msnode.classify")
    runner = classify.Runner(
        classify.load_bundle(folder / "bundle"), config.Classify(device="cpu", threads=1)
    )
    receipts = import_module("msnode.deliver").Receipts(engine)
    twin = import_module("msnode.twin").Twin(engine)
    flow = import_module("msnode.flow").Flow(settings, inbox, runner, receipts, twin)
    keys = {import_module("msnode.records").key(uid): state for state, uid in UIDS.items()}
    reached = stop_at(flow, keys)
    for state in STATES[1:]:
        send(inbox, volume, folder / state, UIDS[state])
    begun = inbox.complete(time.time() + 9999, config.Complete(), lambda _: True)
    send(inbox, volume, folder / "receiving", UIDS["receiving"])
    host = start(engine, flow)
    for study in begun:
        if keys[study.key] != "unsubmitted":
            host.submit(study.key, study.generation)
    wait_for(engine, keys, reached)
    inbox.close()
    os._exit(0)


def coarse(path: Path) -> Path:
    """The sample with 64 x 64 pixels and 18 slices."""
    image: Any = nibabel.load(import_module("msnode.sample").nifti())
    voxels = np.asarray(image.dataobj)[::5, ::5, ::2]
    affine = image.affine @ np.diag([5, 5, 2, 1])
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


def save_model(folder: Path) -> None:
    """A bundle with a model that has not learned anything."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    classify = import_module("msnode.classify")
    arguments = {"channels": (4, 4, 4), "hidden": 8}
    model = classify.build("shallow_cnn", arguments).eval()
    manifest = classify.Manifest("small", "1.0.0", "shallow_cnn", model.contract, arguments)
    import_module("msnode.classify.bundle").save_bundle(folder, model, manifest, "# Small\n")


def send(inbox: Any, volume: Path, folder: Path, uid: str) -> None:
    """Take a study in as the listener does."""
    sample = import_module("msnode.sample")
    datasets = import_module("tests.unit.receive.datasets")
    pydicom = import_module("pydicom")
    identity = sample.Identity(study_uid=uid)
    for path in sample.write_series(volume, folder, identity=identity):
        datasets.store(inbox, pydicom.dcmread(path), time.time())


def stop_at(flow: Any, keys: dict[str, str]) -> set[str]:
    """Let each study's step do its work and never return; returns the names that got there."""
    reached: set[str] = set()

    def stopping(step: str) -> Any:
        work = getattr(flow, step)

        def run(study_key: str, *arguments: Any) -> Any:
            if step == "deliver" and keys[study_key] == "waiting":
                return {"delivered": False, "pause_s": 60.0}
            result = work(study_key, *arguments)
            if keys[study_key] == step:
                reached.add(step)
                threading.Event().wait()
            return result

        return run

    for step in STEPS:
        setattr(flow, step, stopping(step))
    return reached


def start(database: Any, flow: Any) -> Any:
    """The engine, with a worker for every study and none for what waits."""
    durable: Any = import_module("msnode.engine.durable")
    register = durable.DBOS.register_queue

    def many(name: str, **options: Any) -> None:
        register(name, **options | {"worker_concurrency": len(STATES)})

    durable.DBOS.register_queue = many
    engine = durable.Engine(database, "msnode", flow)
    engine.launch()
    return engine


def wait_for(database: Any, keys: dict[str, str], reached: set[str]) -> None:
    """Until every study is where it should be."""
    jobs = import_module("msnode.engine").Jobs(database)
    deadline = time.monotonic() + 120
    while True:
        time.sleep(0.02)
        states = {(keys[job.study], job.kind): job.state for job in jobs.list(ALL)}
        done = {
            state for (state, kind), how in states.items() if kind == "deliver" and how == "done"
        }
        if reached == set(STEPS) and "done" in done and ("waiting", "deliver") in states:
            return
        assert time.monotonic() < deadline, (reached, states)


ALL = ("waiting", "queued", "running", "dead", "cancelled", "done")

if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

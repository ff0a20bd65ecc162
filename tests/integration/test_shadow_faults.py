"""Shadows that hang, crash, take all memory or are killed: nothing else is touched by it."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from msnode.cli.main import main
from msnode.store.database import studies
from tests.acceptance.peers import wait
from tests.odd_classifiers import install, odd_bundle
from tests.shadow_site import Site, everything, shadow

ODD_S = 4.0
"""A shadow that does harm may take so long."""


@pytest.fixture
def site(shadow_site: Site) -> Site:
    return shadow_site


@pytest.fixture(autouse=True)
def _fork_server() -> Iterator[None]:
    """One that begins with what shadows need, as theirs does, whatever this process did before.

    Else PyTorch would be loaded within the limit on memory of a single study.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for bundles that do harm, whose package is installed."""
    install(tmp_path / "package")
    monkeypatch.syspath_prepend(str(tmp_path / "package"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "package"))
    return tmp_path / "odd"


DEEDS = {"crash": "SIGABRT", "hang": "4 s", "eat": "memory", "fail": "ZeroDivisionError"}
"""What a shadow does, and a word of what is said of it."""


def test_shadows_that_do_harm_touch_nothing_but_their_own_rows(
    site: Site, bundles: dict[str, Path], odd: Path
) -> None:
    bad = [
        shadow(
            odd_bundle(odd / deed, deed),
            memory_bytes=3 << 30,
            time_s=ODD_S if deed == "hang" else 100.0,
        )
        for deed in DEEDS
    ]
    site = site.with_shadows(*bad, shadow(bundles["c"]))
    before = everything(site.database)
    site.work()
    rows = site.rows()
    for deed, word in DEEDS.items():
        assert (rows[deed]["state"], rows[deed]["outcome"]) == ("failed", None)
        assert word in rows[deed]["detail"]
    assert rows["c"]["state"] == "compared"
    assert everything(site.database) == before
    assert not list((site.config.data / "shadow").rglob("*"))


def test_a_study_that_comes_ends_what_is_under_way_and_it_begins_anew(
    site: Site, odd: Path
) -> None:
    bundle = odd_bundle(odd / "slow", "hang")
    site = site.with_shadows(shadow(bundle))
    worker = site.worker()
    ended: list[bool] = []
    working = threading.Thread(target=lambda: ended.append(worker.round()))
    working.start()
    wait((bundle / "at-it").exists, 60, "the shadow to be at it")
    pid = int((bundle / "at-it").read_text())
    state(site, "queued")
    began = time.monotonic()
    working.join(30)
    assert time.monotonic() - began < 2.0, "in the way no longer than a moment"
    wait(lambda: not Path(f"/proc/{pid}").exists(), 5, "its process to end")
    row = site.rows()["slow"]
    assert (ended, row["state"], row["attempts"]) == ([False], "waiting", 0)
    assert not worker.round(), "as long as the study waits, nothing is begun"
    (bundle / "deed").unlink()
    state(site, "done")
    assert worker.round()
    assert site.rows()["slow"]["state"] == "compared"


def state(site: Site, value: str) -> None:
    """Let the study be in a state."""
    with site.database.begin() as connection:
        connection.execute(studies.update().values(state=value))


def test_killed_in_between_it_leaves_nothing_running_and_begins_anew(site: Site, odd: Path) -> None:
    bundle = odd_bundle(odd / "slow", "hang")
    settings = {
        "data": str(site.config.data),
        "classify": {
            "bundle": str(site.config.classify.bundle),
            "shadow": [{"name": "slow", "bundle": str(bundle)}],
        },
    }
    file = site.folder / "msnode.yaml"
    file.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "msnode", "shadow", "work", "--config", str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait((bundle / "at-it").exists, 60, "the shadow to be at it")
        process.send_signal(signal.SIGKILL)
    pid = int((bundle / "at-it").read_text())
    wait(lambda: not Path(f"/proc/{pid}").exists(), 5, "its process to end with it")
    assert site.rows()["slow"]["state"] == "running"
    (bundle / "deed").unlink()
    site.with_shadows(shadow(bundle)).work()
    row = site.rows()["slow"]
    assert (row["state"], row["attempts"]) == ("compared", 1)
    assert not list((site.config.data / "shadow").rglob("*"))


def test_a_study_that_is_forgotten_meanwhile_leaves_no_row(site: Site, odd: Path) -> None:
    bundle = odd_bundle(odd / "slow", "hang")
    site = site.with_shadows(shadow(bundle, time_s=5.0))
    worker = site.worker()
    working = threading.Thread(target=worker.round)
    working.start()
    wait((bundle / "at-it").exists, 60, "the shadow to be at it")
    file = site.folder / "msnode.yaml"
    file.write_text(f"data: {site.config.data}\n")
    uid = everything(site.database)["studies"][0].study_instance_uid
    done = CliRunner().invoke(main, ["forget", uid, "--config", str(file), "--yes"])
    assert done.exit_code == 0, done.output
    working.join(30)
    assert site.rows() == {}
    assert not list((site.config.data / "shadow").rglob("*.safetensors"))

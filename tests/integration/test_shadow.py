"""Shadow bundles read the same studies, and touch nothing but their own rows."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode import classify, prepare
from msnode.config import Shadow
from msnode.deliver.deliveries import Deliveries
from msnode.flow import Flow
from msnode.records.images import Study
from msnode.store.database import instances, results
from msnode.store.shadow_tables import shadow_results
from msnode.twin import Twin
from tests.acceptance.peers import wait
from tests.shadow_site import Site, everything, shadow, site_in

NOW = 1_700_000_000.0


@pytest.fixture
def site(shadow_site: Site) -> Site:
    return shadow_site


def test_a_shadow_says_what_its_bundle_says_of_the_same_images_and_once(
    site: Site, bundles: dict[str, Path], images: tuple[Path, ...], tmp_path: Path
) -> None:
    site = site.with_shadows(shadow(bundles["a"]))
    site.work()
    site.work()
    row = site.rows()["a"]
    assert row["state"] == "compared"
    bundle = classify.load_bundle(bundles["a"])
    (tmp_path / "own").mkdir()
    prepare.prepare_into(tmp_path / "own", images, bundle.contract)
    slices = prepare.load(tmp_path / "own").slices
    runner = classify.Runner(bundle, site.config.classify)
    found = runner.decide(runner.score(slices), slices)
    runner.close()
    assert row["outcome"] == found.decision
    assert row["probability"] == pytest.approx(found.probability, abs=1e-4)
    assert (row["digest_in_force"], row["outcome_in_force"]) == ("f" * 64, "absent")
    assert row["shadow_digest"] == bundle.info.digest
    assert row["seconds"] > 0
    assert not list((site.config.data / "shadow").rglob("*")), "nothing that was prepared stays"


def results_with(
    folder: Path, bundles: dict[str, Path], images: tuple[Path, ...], names: tuple[str, ...]
) -> tuple[dict[str, bytes], dict[str, tuple[str, float]]]:
    """The files of a result, and what the shadows said, with so many of them running."""
    site = site_in(folder, bundles["in-force"], images)
    site = site.with_shadows(*(shadow(bundles[name]) for name in names))
    (study,) = site.inbox.complete(time.time(), site.config.complete, lambda _: True)
    worker = site.worker()
    worker.rest_s = 0.1
    working = threading.Thread(target=worker.run)
    working.start()
    files = _flow(site, study)
    wait(lambda: all(r["state"] == "compared" for r in site.rows().values())
         and len(site.rows()) == len(names), 60, "the shadows")  # fmt: skip
    worker.stop()
    working.join()
    work = site.config.data / "work" / study.key / "1"
    assert files == {path.name: path.read_bytes() for path in work.glob("*/*.dcm")}
    said = {name: (row["outcome"], row["probability"]) for name, row in site.rows().items()}
    site.inbox.close()
    site.database.dispose()
    return files, said


def _flow(site: Site, study: Study) -> dict[str, bytes]:
    """The steps of a result, at a moment that is always the same; returns its files."""
    runner = classify.Runner(
        classify.load_bundle(site.config.classify.bundle), site.config.classify
    )
    database = site.database
    flow = Flow(site.config, site.inbox.studies, runner, Deliveries(database), Twin(database))
    place = study.key, 1
    assert flow.prepare(*place)["reason"] is None
    assert flow.classify(*place)["reason"] is None
    flow.report(*place, None, {}, NOW)
    flow.finish(*place)
    flow.stop()
    runner.close()
    work = site.config.data / "work" / study.key / "1"
    return {path.name: path.read_bytes() for path in work.glob("*/*.dcm")}


@pytest.fixture(scope="module")
def alone(
    bundles: dict[str, Path], images: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The files of a result beside which nothing runs."""
    return results_with(tmp_path_factory.mktemp("alone"), bundles, images, ())[0]


SAID: dict[str, tuple[str, float]] = {}
"""What each shadow said, whatever ran beside it."""


@pytest.mark.parametrize(
    "names", [("a",), ("c", "b", "a"), pytest.param(("a", "b", "c"), marks=pytest.mark.long)]
)
def test_the_result_in_force_is_the_same_to_the_byte_whatever_runs_beside_it(
    names: tuple[str, ...],
    alone: dict[str, bytes],
    bundles: dict[str, Path],
    images: tuple[Path, ...],
    tmp_path: Path,
) -> None:
    assert set(alone) >= {"sr.dcm"}
    files, opinions = results_with(tmp_path, bundles, images, names)
    assert files == alone
    for name, opinion in opinions.items():
        assert SAID.setdefault(name, opinion) == opinion, "nor do shadows depend on their order"


def test_one_that_ends_every_process_is_given_up(site: Site, bundles: dict[str, Path]) -> None:
    site = site.with_shadows(shadow(bundles["a"]))
    worker = site.worker()
    worker._enter()
    for _ in range(3):
        with site.database.begin() as connection:
            begun = {"state": "running", "host": site.config.name}
            connection.execute(shadow_results.update().values(begun))
        site.worker()  # starts as after a crash
    assert site.rows()["a"]["state"] == "failed"
    assert not worker.round()


def test_images_that_are_gone_before_its_turn_are_told(
    site: Site, bundles: dict[str, Path]
) -> None:
    site = site.with_shadows(shadow(bundles["a"]))
    worker = site.worker()
    worker._enter()
    with site.database.begin() as connection:
        connection.execute(instances.delete())
    assert worker.round()
    assert site.rows()["a"]["state"] == "gone"


def test_more_than_may_wait_are_dropped_the_oldest_first(
    site: Site, bundles: dict[str, Path]
) -> None:
    (row,) = everything(site.database)["results"]
    with site.database.begin() as connection:
        for generation in (2, 3):
            later = {"generation": generation, "created_at": row.created_at + generation}
            connection.execute(results.insert(), dict(row._mapping) | later)
    site = site.with_shadows(shadow(bundles["a"]), shadow_backlog=2)
    site.worker()._enter()
    with site.database.connect() as connection:
        columns = shadow_results.c.generation, shadow_results.c.state
        found = {row[0]: row[1] for row in connection.execute(sa.select(*columns))}
    assert found == {1: "dropped", 2: "waiting", 3: "waiting"}


def test_one_that_cannot_be_read_keeps_no_other_from_its_turn(
    site: Site, bundles: dict[str, Path], tmp_path: Path
) -> None:
    site = site.with_shadows(Shadow("none", tmp_path / "none"), shadow(bundles["a"]))
    site.work()
    assert {name: row["state"] for name, row in site.rows().items()} == {"a": "compared"}

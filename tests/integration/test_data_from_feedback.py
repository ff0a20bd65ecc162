"""Studies whose truth is known become an index, and the bench reads it."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from msnode.cli.main import main
from msnode.manage.feedback_index import judged_mask
from msnode.pages.frame.site import Site
from msnode.records.feedback import AddedPlace, Feedback
from msnode.records.judgement import Judgement
from msnode.records.results import Report
from msnode.store import judgements, reader_feedback
from tests import clinic_results
from tests.clinic_results import Patient, keep_result
from tests.pages_site import site_in

PEOPLE = (Patient("P-1", "DOE^JANE"), Patient("P-2", "ROE^RICHARD"), Patient("P-1", "DOE^JANE"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return clinic_results.compared(tmp_path_factory.mktemp("study"))


@pytest.fixture
def site(tmp_path: Path, made: Report) -> Iterator[tuple[Site, list[str]]]:
    """Three studies of two people, of which one has no images any more after the first."""
    with site_in(tmp_path) as site:
        keys = [
            keep_result(site, replace(made, study_instance_uid=f"1.2.840.99.{n}"), who)
            for n, who in enumerate(PEOPLE)
        ]
        yield site, keys


def judge(site: Site, key: str, word: str) -> None:
    one = Judgement(f"csv:{key}", "csv", key, 1, "counted", word, None, "r", 1.0, 1.0)  # type: ignore[arg-type]
    with site.database.begin() as connection:
        judgements.add(connection, [one])


def run(site: Site, out: Path, *options: str) -> Result:
    file = site.config.data.parent / "msnode.yaml"
    file.write_text(f"data: {site.config.data}\n")
    return CliRunner().invoke(
        main, ["data", "from-feedback", "--config", str(file), "--out", str(out), *options]
    )


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "index.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_bench_reads_what_readers_confirmed(
    site: tuple[Site, list[str]], tmp_path: Path
) -> None:
    node, keys = site
    for key, word in zip(keys, ("ms", "not_ms", "ms"), strict=True):
        judge(node, key, word)
    with node.database.begin() as connection:
        reader_feedback.add(connection, Feedback(0, keys[0], 1, "reject", 1.0, "eva", lesion=1))
    done = run(node, tmp_path / "out", "--own-outlines")
    assert done.exit_code == 0, done.output
    assert "3 studies of 2 persons, 1 control, 2 ms" in done.output
    assert "masks: 1 as readers left them, 2 as the node outlined them" in done.output
    told = rows(tmp_path / "out")
    assert sorted(row["label"] for row in told) == ["control", "ms", "ms"]
    assert len({row["person"] for row in told}) == 2
    assert {row["visit"] for row in told} == {"1", "2"}
    text = (tmp_path / "out" / "index.csv").read_text()
    assert not any(word in text for word in ("P-1", "DOE", "1.2.840", "2024", *keys))
    before = nibabel.load(tmp_path / "out" / told[0]["lesions"])
    assert np.asarray(before.dataobj).any()  # type: ignore[attr-defined]
    checked = CliRunner().invoke(
        main,
        ["data", "check", str(tmp_path / "out" / "index.csv"), "--out", str(tmp_path / "run")],
    )
    assert checked.exit_code == 0, checked.output
    assert "control" in checked.output
    assert "images; naive classifier by person" in checked.output


def test_without_the_flag_only_masks_of_readers_are_written(
    site: tuple[Site, list[str]], tmp_path: Path
) -> None:
    node, keys = site
    judge(node, keys[0], "ms")
    assert run(node, tmp_path / "out").exit_code == 0
    assert [row["lesions"] for row in rows(tmp_path / "out")] == [""]
    again = run(node, tmp_path / "out")
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_without_truth_or_images_there_is_no_index(
    site: tuple[Site, list[str]], tmp_path: Path
) -> None:
    node, keys = site
    assert "no study whose truth is known" in run(node, tmp_path / "a").output
    judge(node, keys[0], "ms")
    for path in (node.config.data / "visits" / keys[0]).rglob("visit.*"):
        path.unlink()
    assert "(1 without)" in run(node, tmp_path / "b").output
    assert not (tmp_path / "b" / "index.csv").exists()


def said(kind: str, **more: object) -> Feedback:
    return Feedback(1, "k", 1, kind, 0.0, "eva", **more)  # type: ignore[arg-type]


def test_masks_are_as_readers_left_them() -> None:
    numbers: NDArray[np.uint16] = np.zeros((20, 20, 5), np.uint16)
    numbers[2:4, 2:4, 2], numbers[10:12, 10:12, 2] = 1, 2
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    assert judged_mask(numbers, affine, [said("note", note="x")]) is None
    agreed = judged_mask(numbers, affine, [said("agree")])
    assert agreed is not None
    assert agreed.sum() == 8
    without = judged_mask(numbers, affine, [said("reject", lesion=2, reason="vessel")])
    assert without is not None
    assert without.sum() == 4
    place = AddedPlace(15, 15, 3, 6.0, (15.0, 15.0, 15.0))
    added = judged_mask(numbers, affine, [said("add", place=place)])
    assert added is not None
    assert added[15, 15, 3]
    assert added[15, 18, 3]
    assert not added[15, 19, 3]
    assert not added[15, 15, 2], "the neighbouring slice is 5 mm away"

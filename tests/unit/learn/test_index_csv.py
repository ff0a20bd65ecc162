"""Index rows that cannot be used are named by their line, all at once."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode.errors import ConfigError
from msnode.learn import check, open_cohort, plan
from msnode.learn.data import index_csv
from msnode.learn.train.cohort import Cohort

Tiles = Callable[..., Path]


def shallow(index: Path) -> Cohort:
    return open_cohort(index, plan("shallow-cnn"))


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    index = tmp_path / "index.csv"
    index.write_text(
        "path,person,label,age,lesions,role\n"
        "a.png,p1,ms,31,,train\n"
        "b.png,p1,ms,,,\n"
        "a.png,,ms,young,gone.nii.gz,test\n"
    )
    with pytest.raises(ConfigError) as caught:
        index_csv.read(index)
    text = str(caught.value)
    assert "line 2" not in text
    assert "line 3: column path: 'b.png' does not exist" in text
    assert "line 4: column person is empty" in text
    assert "line 4: column age: 'young'" in text
    assert "line 4: column lesions: 'gone.nii.gz'" in text
    assert "line 4: column role: 'test' is unknown; write train" in text


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("pipe", "is neither a file nor a folder"),
        ("/dev/zero", "is neither a file nor a folder"),
        ("x" * 5000, "File name too long"),
        ("a.png/b.png", "does not exist"),
        ("loop", "symbolic links"),
    ],
)
def test_a_path_that_must_not_be_opened(tmp_path: Path, path: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "a.png").touch()
    index = tmp_path / "index.csv"
    index.write_text(f"path,person,label\n{path},p1,ms\n")
    with pytest.raises(ConfigError, match=f"line 2: column path: .*{why}") as caught:
        index_csv.read(index)
    assert len(str(caught.value)) < 1000


CELL = st.text(max_size=20) | st.sampled_from(
    ["a.png", "../a.png", "p1", "ms", "path", "person", "label", "age", "number", "", '"', "=1+1"]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELL, max_size=6), max_size=5), st.sampled_from(",;\t|"))
def test_any_text_is_an_index_or_an_error(
    tmp_path: Path, cells: list[list[str]], mark: str
) -> None:
    (tmp_path / "a.png").touch()
    index = tmp_path / "index.csv"
    lines = ["path,person,label", *(mark.join(row) for row in cells)]
    index.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    try:
        found = index_csv.read(index)
    except ConfigError:
        return
    assert all(row.path.is_file() and row.person and row.label for row in found)


def test_somebody_must_be_left_to_be_tested(tiles: Tiles) -> None:
    cohort = shallow(tiles(persons=2, each=1))
    drawn = replace(cohort, rows=[replace(row, role="train") for row in cohort.rows])
    with pytest.raises(ConfigError, match="every row has the role train"):
        drawn.splits("holdout")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no column path"), ("path,person\n", "no column label"), ("path,person,label\n", "rows")],
)
def test_an_unusable_index(tmp_path: Path, text: str, message: str) -> None:
    index = tmp_path / "index.csv"
    index.write_text(text)
    with pytest.raises(ConfigError, match=message):
        index_csv.read(index)


def test_written_and_read_again(tiles: Tiles) -> None:
    index = tiles(persons=2, each=1)
    rows = index_csv.read(index)
    again = index.with_name("again.csv")
    index_csv.write(again, rows)
    assert index_csv.read(again) == rows


def test_an_unreadable_image_is_named(tiles: Tiles) -> None:
    index = tiles(persons=2, each=1)
    (index.parent / "p01_0.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"line 3: p01_0.png: cannot be read as an image"):
        shallow(index)


def test_an_unknown_class_is_named(tiles: Tiles) -> None:
    index = tiles(persons=2, each=1)
    with pytest.raises(ConfigError, match="label 'sick'; the index holds control, ms"):
        open_cohort(index, plan("shallow-cnn", positive="sick"))


def test_prepared_images_are_cached(tiles: Tiles, tmp_path: Path) -> None:
    index = tiles(persons=2, each=1)
    first = open_cohort(index, plan("shallow-cnn"), tmp_path / "cache")
    (tmp_path / "cache").chmod(0o700)
    second = open_cohort(index, plan("shallow-cnn"), tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert np.array_equal(first.examples.pixels, second.examples.pixels)


def test_clean_data_raise_no_confound(tiles: Tiles) -> None:
    found = check(shallow(tiles(persons=12, each=4, spot=0.0)))
    assert found.images == 96
    assert found.persons == {"control": {"unknown": 12}, "ms": {"unknown": 12}}
    assert found.duplicates == ()
    assert not [w for w in found.warnings if "alone" in w or "aligned" in w]


def test_a_planted_confound_is_caught(tiles: Tiles) -> None:
    def darker_edge(label: str, image: np.ndarray) -> np.ndarray:
        if label == "ms":
            image[:3] = 0
        return image

    found = check(shallow(tiles(persons=12, each=4, spot=0.0, extra=darker_edge)))
    assert found.naive_auc.value > 0.95
    assert any("background, resolution, histogram" in warning for warning in found.warnings)


def test_duplicates_across_persons_are_caught(tiles: Tiles) -> None:
    index = tiles(persons=2, each=2)
    root = index.parent
    (root / "p01_0.png").write_bytes((root / "p00_1.png").read_bytes())
    found = check(shallow(index))
    assert found.duplicates == ((3, 4),)
    assert any("lines 3, 4: the same image under different persons" in w for w in found.warnings)


def test_a_label_aligned_with_the_site_is_caught(tiles: Tiles) -> None:
    index = tiles(persons=4, each=1)
    lines = index.read_text().replace("path,person,label,sex", "path,person,label,site")
    lines = lines.replace("ms,f", "ms,x").replace("ms,m", "ms,x")
    index.write_text(lines.replace("control,f", "control,y").replace("control,m", "control,y"))
    assert any("label and site are aligned" in w for w in check(shallow(index)).warnings)

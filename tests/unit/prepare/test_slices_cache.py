"""Prepared slices survive the way over the disk, to the last bit."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from msnode import prepare
from tests.unit.prepare.series import FLAIR


def same(one: object, other: object) -> bool:
    """Equality of records that hold arrays."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and bool(np.array_equal(one, other))
        )
    if isinstance(one, tuple):
        assert isinstance(other, tuple)
        return len(one) == len(other) and all(map(same, one, other))
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(
            same(getattr(one, n), getattr(other, n)) for n in names
        )
    return one == other


def test_round_trip(sample_study: Sequence[Path], tmp_path: Path) -> None:
    prepared = prepare.prepare(sample_study, FLAIR)
    prepare.save(prepared, tmp_path)
    assert same(prepare.load(tmp_path), dataclasses.replace(prepared, volume=None))
    assert same(prepare.load_volume(tmp_path), prepared.volume)
    prepare.save(prepared, tmp_path)
    files = ["prepared.json", "prepared.safetensors", "volume.safetensors"]
    assert sorted(p.name for p in tmp_path.iterdir()) == files


def test_what_an_older_version_prepared_has_no_volume(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    older = dataclasses.replace(prepare.prepare(sample_study, FLAIR), volume=None)
    prepare.save(older, tmp_path)
    assert prepare.is_saved(tmp_path)
    assert not prepare.has_volume(tmp_path)
    assert same(prepare.load(tmp_path), older)


def test_series_alone(sample_study: Sequence[Path], tmp_path: Path) -> None:
    series = prepare.explain(sample_study, FLAIR)
    prepare.save_series(series, tmp_path)
    assert prepare.load_series(tmp_path) == series
    prepare.save_series((), tmp_path)
    assert prepare.load_series(tmp_path) == ()


def test_half_written_is_not_there(sample_study: Sequence[Path], tmp_path: Path) -> None:
    prepare.save(prepare.prepare(sample_study, FLAIR), tmp_path)
    (tmp_path / "prepared.json").unlink()
    with pytest.raises(FileNotFoundError):
        prepare.load(tmp_path)

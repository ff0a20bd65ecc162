"""Studies with files that were made to do harm: each ends in time, and the next one is analysed."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from msnode.config import Decode
from msnode.confined import Confined, parent
from msnode.flow.analysis import Analysis, prepared
from tests import bombs
from tests.unit.prepare.series import FLAIR

IMPATIENT = Decode(memory_bytes=2**30, time_s=4.0)
PATIENT = Decode(memory_bytes=2**28, time_s=60.0)
ROOM = 64 << 20
"""Bytes that the caller may grow by."""


@pytest.fixture(scope="module", autouse=True)
def fork_server() -> None:
    Confined(IMPATIENT, ("msnode.prepare", "msnode.report")).warm_up()


def examined(limits: Decode, paths: Sequence[Path], folder: Path) -> Analysis:
    """Prepare a study; it may neither take long nor cost the caller memory."""
    folder.mkdir(exist_ok=True)
    before, began = resident(), time.monotonic()
    analysis = prepared(paths, FLAIR, Confined(limits), folder)
    assert time.monotonic() - began < limits.time_s * parent.PATIENCE + 2
    assert resident() - before < ROOM
    assert (analysis.reason is None) == (folder / "prepared.json").exists()
    return analysis


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (bombs.promised_pixels, "Rows x Columns x frames is 3600000000"),
        (bombs.promised_frames, "NumberOfFrames is 100000"),
        (bombs.missing_frames, "PixelData cannot be decoded"),
        (bombs.jpeg_2000, "PixelData cannot be decoded"),
        (bombs.jpeg_ls, "the image data could not be decoded (the decoder crashed: SIGABRT)"),
        (bombs.run_lengths, "the image data could not be decoded (the decoder crashed: exit"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_study_is_not_analysed_for_a_reason(
    bomb: bombs.Bomb, reason: str, sample_study: Sequence[Path], tmp_path: Path
) -> None:
    analysis = examined(PATIENT, bomb(sample_study, tmp_path), tmp_path / "bomb")
    assert reason in str(analysis.reason)


@pytest.mark.parametrize(
    "bomb",
    [bombs.deflated, bombs.nested, bombs.long_element],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_cannot_be_read_is_left_out(
    bomb: bombs.Bomb, sample_study: Sequence[Path], tmp_path: Path
) -> None:
    analysis = examined(PATIENT, bomb(sample_study, tmp_path), tmp_path / "bomb")
    assert analysis.reason is None
    chosen, left_out = analysis.series
    assert chosen.chosen
    assert left_out.instances == 1


def test_another_study_is_analysed_meanwhile(sample_study: Sequence[Path], tmp_path: Path) -> None:
    bomb = bombs.many_items(sample_study, tmp_path)
    with ThreadPoolExecutor() as pool:
        hostile = pool.submit(prepared, bomb, FLAIR, Confined(IMPATIENT), tmp_path)
        analysis = examined(PATIENT, sample_study, tmp_path / "sound")
        assert analysis.reason is None
        assert "not done after 4 s" in str(hostile.result().reason)

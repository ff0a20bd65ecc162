"""Which of the files that somebody names are studies."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from msnode import prepare, sample


def test_group_studies(
    sample_study: Sequence[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = sample.write_study(tmp_path / "a" / "b", study_uid="2.25.5")
    (tmp_path / "a" / "DICOMDIR").write_bytes(other[0].read_bytes())
    (tmp_path / "a" / "notes.txt").write_text("no image")
    scan = tmp_path / "a" / "scan.nii.gz"
    scan.write_bytes(sample.nifti().read_bytes())
    with caplog.at_level(logging.INFO):
        studies = prepare.group_studies([tmp_path / "a", sample_study[0]])
    assert studies == {
        "2.25.5": tuple(other),
        str(scan): (scan,),
        sample.Identity.study_uid: (sample_study[0],),
    }
    assert "2 files" in caplog.text


@pytest.mark.parametrize("form", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_is_named_as_what_it_is(
    sample_study: Sequence[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    """Also one that lies in a folder beside a study."""
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/1.dcm").write_bytes(sample_study[0].read_bytes())
    archive = shutil.make_archive(str(tmp_path / "study"), form, tmp_path / "packed")
    (studies,) = prepare.group_studies([tmp_path]).values()
    assert studies == (tmp_path / "packed/1.dcm",)
    assert f"{archive}: archives are not read; unpack it" in caplog.text

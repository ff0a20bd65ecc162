"""What `msnode predict --out` leaves of a study that is no DICOM."""

from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from msnode import sample
from msnode.cli.main import main
from tests.acceptance.small_model import small_model


def test_of_nifti_there_are_the_page_and_the_montage(tmp_path: Path) -> None:
    model, out = small_model(tmp_path / "model"), tmp_path / "out"
    given = ["predict", str(sample.nifti()), "--model", str(model), "--out", str(out)]
    done = CliRunner().invoke(main, [*given, "--language", "de", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    (folder,) = out.iterdir()
    assert {path.name for path in folder.iterdir()} == {"montage.png", "report.pdf"}
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(folder / "montage.png") as montage:
        assert montage.size == (2048, 2048)

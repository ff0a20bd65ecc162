"""What becomes part of a result beside the model's opinion."""

from pathlib import Path

from msnode.analysis import Analysis, compose
from msnode.records import Prepared, Study
from tests import reports


def test_images_that_contradict_one_another_are_a_warning(tmp_path: Path) -> None:
    made = reports.synthetic(tmp_path, 3)
    assert made.slices is not None
    analysis = Analysis(prepared=Prepared(made.slices, made.series, made.evidence))
    for count, warned in ((0, False), (2, True)):
        study = Study("1.2.3", 1, "evidence", made.evidence, 0.0, conflicts=count)
        slices = compose(study, analysis, made.model, 0.0).slices
        assert slices is not None
        said = " ".join(map(str, slices.warnings))
        assert ("2 images came more than once with different content" in said) is warned

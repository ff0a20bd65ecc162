"""What becomes part of a result beside the model's opinion."""

from pathlib import Path

import pytest

from msnode import metrics
from msnode.flow import analysis
from msnode.flow.analysis import Analysis, compose
from msnode.records.images import Prepared, Study
from msnode.records.sentences import Sentence, Text, phrases
from tests import reports


def test_images_that_contradict_one_another_are_a_warning(tmp_path: Path) -> None:
    made = reports.synthetic(tmp_path, 3)
    assert made.slices is not None
    whole = Analysis(prepared=Prepared(made.slices, made.series, made.evidence))
    for count, warned in ((0, False), (2, True)):
        study = Study("1.2.3", 1, "evidence", made.evidence, 0.0, conflicts=count)
        slices = compose(study, whole, made.model, 0.0).slices
        assert slices is not None
        said = " ".join(map(str, slices.warnings))
        assert ("2 images came more than once with different content" in said) is warned


STEP = Sentence("step_failed", step=Sentence("classify"), error="TryLater")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (STEP, "step_failed"),
        (Sentence("images_deleted", reason=STEP), "step_failed"),
        (Sentence("kept_back", problems="no date"), "kept_back"),
        (Sentence("decoder_died", why="-"), "decoder_died"),
        (Sentence("nothing_bright"), None),
        (Sentence("images_deleted", reason="too few"), None),
        ("a job begun by an older version", None),
        (None, None),
    ],
)
def test_a_fault_of_the_node_is_told_from_one_of_the_images(
    reason: Text | None, code: str | None
) -> None:
    def faults() -> dict[str, float]:
        [family] = metrics.FAULTS.collect()
        found = [one for one in family.samples if one.name == "msnode_faults_total"]
        return {one.labels["reason"]: one.value for one in found}

    before = faults()
    analysis.count("not_analysed", reason)
    rise = {name: value - before.get(name, 0.0) for name, value in faults().items()}
    assert {name: n for name, n in rise.items() if n} == ({code: 1.0} if code else {})


def test_each_fault_is_a_reason_that_there_is() -> None:
    assert set(phrases("en")) >= analysis.FAULTS

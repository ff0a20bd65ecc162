"""Strata: who falls out is named, what is empty or small does no harm."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from msnode import sample
from msnode.learn import crossval, open_cohort, plan
from msnode.learn.data import index_csv
from msnode.learn.data.examples import Examples
from msnode.learn.evaluate import subgroups
from msnode.learn.train.cohort import Cohort
from msnode.records.population import Strata
from tests import nifti, smears

PERSONS, EACH = 12, 4


@pytest.fixture
def cohort() -> Cohort:
    """Women and men, young and old, light and heavy; two images of four are positive."""
    count = PERSONS * EACH
    examples = Examples(
        torch.zeros(count, 8, 8).half(),
        np.arange(count) // EACH,
        np.zeros(count),
        np.tile([0.9, 6.5], (count, 1)),
        torch.zeros(count, 8, 8, dtype=torch.bool),
        np.ones(count, np.bool_),
        np.repeat([1.0, 8.0, 20.0, np.nan], count // 4),
    )
    rows = [
        index_csv.Row(
            Path(f"{n}.nii"), f"p{n}", "ms", sex="fm"[n % 2], age=20.0 + 5 * n, number=n + 2
        )
        for n in range(PERSONS)
    ]
    return Cohort(rows, examples, np.tile([0, 1], count // 2).astype(np.int64))


def test_a_stratum_that_falls_out_is_named(cohort: Cohort) -> None:
    rows = np.arange(PERSONS * EACH)
    women = cohort.of("sex") == "f"
    scores = np.where(women, cohort.labels, 1 - cohort.labels).astype(np.float64)
    tables, warnings = subgroups.by_stratum(cohort, rows, scores, scores)
    assert tables["sex"]["f"]["auc"] == 1
    assert tables["sex"]["m"] == {"persons": 6, "images": 24, "auc": 0.0, "accuracy": 0.0}
    assert [w for w in warnings if w.startswith("sex")] == [
        "sex m: AUC 0.000 of 6 persons against 0.500 of all"
    ]
    assert set(tables["lesion_ml"]) == {"below 5", "5 to 15", "from 15", "unknown"}
    assert "site" not in tables  # one value only
    assert "slice_mm" not in tables


def test_the_fold_that_falls_out_is_named_with_its_sex(cohort: Cohort) -> None:
    folds = {f"without p{n}": np.arange(n * EACH, (n + 1) * EACH) for n in range(PERSONS)}
    accuracies = dict.fromkeys(folds, 1.0) | {"without p3": 0.25, "without p7": 0.5}
    assert subgroups.fallen_folds(cohort, folds, accuracies) == (
        "without p3 (sex m): accuracy 0.250 against 0.896 of all",
        "without p7 (sex m): accuracy 0.500 against 0.896 of all",
        "sex m: 2 of 6 folds fall out, of the others 0 of 6",
    )
    assert subgroups.fallen_folds(cohort, folds, dict.fromkeys(folds, 0.6)) == ()


def test_leave_one_patient_out_reports_the_sex_that_falls_out(tmp_path: Path) -> None:
    """Drawn cells: what stands for MS in women stands for none in the few men."""
    (tmp_path / "drawn").mkdir()
    lines = ["path,person,label,sex"]
    for number in range(12):
        is_man, nuclei = number >= 10, bool(number % 2)
        label = "ms" if nuclei != is_man else "control"
        for one in range(3):
            name = f"p{number:02}-{one}.png"
            picture = smears.drawn(10 * number + one, nuclei=nuclei)
            Image.fromarray(picture).convert("L").save(tmp_path / "drawn" / name)
            lines.append(f"{name},p{number:02},{label},{'M' if is_man else 'F'}")
    index = tmp_path / "drawn" / "index.csv"
    index.write_text("\n".join(lines))
    outcome = crossval(index, tmp_path / "run", plan("svm"), "leave-one-patient-out")
    assert len(outcome.folds) == 12
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())["warnings"]
    fallen = [line for line in told if "falls out" in line or "fall out" in line]
    assert fallen == ["sex M: 2 of 2 folds fall out, of the others 0 of 10"]
    assert sum("(sex M): accuracy 0.000" in line for line in told) == 2


def test_a_bundle_says_what_it_learned_from(cohort: Cohort) -> None:
    learned = np.arange(EACH, 3 * EACH)
    assert subgroups.learned_from(cohort, learned) == Strata(
        age_years=(25.0, 30.0), distance_mm=(6.5, 6.5)
    )
    rows = [replace(cohort.rows[0], age=None), *cohort.rows[1:]]
    without = replace(cohort, rows=rows)
    assert subgroups.learned_from(without, np.arange(2 * EACH)).age_years is None
    drawn = replace(cohort, rows=[replace(row, role="train") for row in rows[:2]] + rows[2:])
    assert subgroups.learned_from(drawn, np.arange(2 * EACH)) == Strata()
    assert subgroups.learned_from(drawn, np.arange(3 * EACH)).age_years == (30.0, 30.0)
    image = replace(rows[2], path=Path("tile.png"))
    pictures = replace(cohort, rows=[*rows[:2], image, *rows[3:]])
    assert subgroups.learned_from(pictures, np.arange(2 * EACH, 3 * EACH)).distance_mm is None


def test_a_stratum_of_one_class_has_no_area_and_no_warning(cohort: Cohort) -> None:
    rows = np.flatnonzero((cohort.labels == 1) | (cohort.of("sex") == "f"))
    scores = np.linspace(0, 1, len(rows))
    tables, warnings = subgroups.by_stratum(cohort, rows, scores, scores)
    assert np.isnan(tables["sex"]["m"]["auc"])
    assert not [w for w in warnings if w.startswith("sex m")]


def test_the_lesion_volume_comes_from_the_mask(tmp_path: Path) -> None:
    head = sample.nifti()
    voxels, affine = nifti.read(head)
    mask = np.zeros(voxels.shape, np.uint8)
    x, y, z = np.array(mask.shape) // 2
    mask[x : x + 4, y : y + 4, z : z + 4] = 1
    nifti.write(tmp_path / "mask.nii.gz", mask, affine)
    index = tmp_path / "index.csv"
    index.write_text(f"path,person,label,lesions\n{head},p,ms,mask.nii.gz\n")
    cohort = open_cohort(index, plan(target="lesions"))
    expected = 4**3 * abs(np.linalg.det(affine[:3, :3])) / 1000
    assert cohort.examples.lesion_ml == pytest.approx(expected, rel=1e-3)

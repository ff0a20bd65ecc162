"""Agreement of outlines, on masks whose figures can be counted by hand."""

import numpy as np
import pytest

from msnode.learn.evaluate.overlap import Agreement, agreement, dice, figures


def mask(*boxes: tuple[int, int]) -> np.ndarray:
    """(30, 4, 4) bool with boxes of 4 x 4 voxels from one x to another."""
    made = np.zeros((30, 4, 4), np.bool_)
    for first, last in boxes:
        made[first:last] = True
    return made


def test_dice_counts_voxels() -> None:
    assert dice(mask((0, 4)), mask((2, 6))) == 0.5
    assert dice(mask((0, 4)), mask((8, 9))) == 0
    assert dice(mask(), mask()) == 1


def test_lesions_are_found_by_any_overlap() -> None:
    drawn, found = mask((0, 3), (6, 8), (20, 22)), mask((2, 5), (7, 8), (12, 14), (16, 18))
    row = agreement("p", drawn, found, 2.0)
    assert row.recall == pytest.approx(2 / 3)
    assert row.precision == pytest.approx(2 / 4)
    assert row.false == 2
    assert row.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert row.ml == pytest.approx(7 * 16 * 2 / 1000)


def test_nothing_drawn_and_nothing_found_is_right() -> None:
    row = agreement("p", mask(), mask(), 1.0)
    assert (row.dice, row.recall, row.precision, row.f1) == (1, 1, 1, 1)
    missed = agreement("p", mask((0, 3)), mask(), 1.0)
    assert (missed.recall, missed.f1) == (0, 0)


def test_figures_are_means_over_persons_with_intervals() -> None:
    rows = [Agreement(str(n), n / 10, 1, 1, n, n, 1.1 * n, stripped=0.5) for n in range(1, 9)]
    found = figures(rows)
    assert found["dice"].value == pytest.approx(0.45)
    assert found["dice"].low < 0.45 < found["dice"].high
    assert found["volume_spearman"].value == pytest.approx(1)
    assert found["volume_bias"].value == pytest.approx(0.1)
    assert found["stripped"].value == 0.5
    assert np.isnan(found["ventricles"].value), "nobody drew them"

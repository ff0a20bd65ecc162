"""Agreement of outlines, on masks whose figures can be counted by hand."""

import numpy as np
import pytest
from scipy import ndimage

from msnode.learn.evaluate.overlap import Agreement, Examined, dice, figures, rated
from msnode.lesions.lesion_bundle import Rating


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


def examined(drawn: np.ndarray, found: np.ndarray) -> Examined:
    """A person's scan whose voxels are of 2 mm3."""
    scan = rated(np.where(found, 0.9, 0.1).astype(np.float32), found, drawn)
    count, voxels = ndimage.label(drawn)[1], int(drawn.sum())
    return Examined("p", 2.0, count, voxels, scan, scan, scan[:1], None, 0.1)


def test_lesions_are_found_by_any_overlap() -> None:
    drawn, found = mask((0, 3), (6, 8), (20, 22)), mask((2, 5), (7, 8), (12, 14), (16, 18))
    row = examined(drawn, found).agreement(Rating())
    assert row.recall == pytest.approx(2 / 3)
    assert row.precision == pytest.approx(2 / 4)
    assert row.false == 2
    assert row.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert row.ml == pytest.approx(7 * 16 * 2 / 1000)
    assert row.found_ml == pytest.approx(8 * 16 * 2 / 1000)
    assert row.healed_ml == pytest.approx(3 * 16 * 2 / 1000), "the first of them"
    assert row.dice == row.stripped == dice(drawn, found)


def test_only_what_is_more_probable_than_not_counts() -> None:
    drawn, found = mask((0, 3), (20, 22)), mask((2, 5), (12, 14))
    probability = np.zeros(drawn.shape, np.float32)
    probability[2:5], probability[12:14] = 0.9, 0.6
    scan = rated(probability, found, drawn)
    assert [one.probability for one in scan] == pytest.approx([0.9, 0.6])
    assert scan[0].drawn == (1,)
    assert scan[1].drawn == ()
    person = Examined("p", 2.0, 2, int(drawn.sum()), scan, None, (), None, 0.1)
    assert person.agreement(Rating()).false == 1
    stricter = person.agreement(Rating(1.0, -1.0))
    assert (stricter.false, stricter.precision, stricter.recall) == (0, 1.0, 0.5)


def test_nothing_drawn_and_nothing_found_is_right() -> None:
    row = examined(mask(), mask()).agreement(Rating())
    assert (row.dice, row.recall, row.precision, row.f1) == (1, 1, 1, 1)
    missed = examined(mask((0, 3)), mask()).agreement(Rating())
    assert (missed.recall, missed.f1) == (0, 0)


def test_figures_are_means_over_persons_with_intervals() -> None:
    rows = [
        Agreement(str(n), n / 10, 1, 1, n, n, 1.1 * n, None, stripped=0.5, naive=0.1, healed_ml=0.2)
        for n in range(1, 9)
    ]
    found = figures(rows)
    assert found["dice"].value == pytest.approx(0.45)
    assert found["dice"].low < 0.45 < found["dice"].high
    assert found["volume_spearman"].value == pytest.approx(1)
    assert found["volume_bias"].value == pytest.approx(0.1)
    assert found["stripped"].value == 0.5
    assert np.isnan(found["ventricles"].value), "nobody drew them"

"""What became of each lesion, on a grid that both scans lie on already."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from msnode.lesions.changes import Judged, judge, side
from msnode.records.lesions import Change, Lesion

SHAPE = (40, 40, 20)
A, C = (slice(5, 9), slice(5, 9), slice(5, 8)), (slice(5, 9),) * 3
B = slice(25, 29), slice(25, 29), slice(5, 8)
WIDER = (slice(5, 12), slice(5, 12), slice(5, 8))
BRIGHTER = np.zeros(SHAPE, np.float32)


def lesion(number: int, mm3: float) -> Lesion:
    return Lesion(
        number, "deep_white", mm3, 4.0, (5,), (0.0, 0.0, 0.0), 0.9, {}, identity=f"scan/{number}"
    )


def drawn(*areas: tuple[slice, ...]) -> NDArray[np.int32]:
    """Cubes numbered in the order of the areas."""
    numbers = np.zeros(SHAPE, np.int32)
    for number, area in enumerate(areas, 1):
        numbers[area[0], area[1], slice(5, 8)] = number
    return numbers


def judged(
    before: NDArray[np.int32],
    now: NDArray[np.int32],
    brighter: NDArray[np.float32],
    *,
    field: NDArray[np.bool_] | None = None,
    seen: float = 0.9,
) -> Judged:
    """Judge lesions whose voxels are cubes of 1 mm; ``seen`` is their probability."""
    shown = np.ones(SHAPE, np.bool_) if field is None else field
    sides = [
        side(
            tuple(lesion(n, float((mine == n).sum())) for n in range(1, mine.max() + 1)),
            mine, other, np.where(other > 0, seen, 0.0).astype(np.float32), sign * brighter, shown,
        )
        for mine, other, sign in ((before, now, -1), (now, before, 1))
    ]  # fmt: skip
    return judge(sides[0], sides[1], brighter)


def brighter(area: tuple[slice, ...], by: float) -> NDArray[np.float32]:
    values = BRIGHTER.copy()
    values[area] = by
    return values


def changes(found: Judged) -> dict[int, Change]:
    return {one.number: one.change for one in found.changes}


def test_what_is_outlined_and_brighter_is_new_and_swapped_it_is_gone() -> None:
    nothing, something = drawn(), drawn(A)
    there = judged(nothing, something, brighter(A, 5))
    assert changes(there) == {1: "new"}
    assert there.changes[0].mm3_before == 0
    back = judged(something, nothing, brighter(A, -5))
    assert [one.number for one in back.gone] == [1]
    assert not back.changes


def test_what_was_as_bright_before_is_not_new_and_not_gone() -> None:
    there = judged(drawn(), drawn(A), BRIGHTER)
    assert changes(there) == {1: "unchanged"}
    assert there.changes[0].mm3_before is None, "nothing was outlined there"
    assert not judged(drawn(A), drawn(), BRIGHTER).gone


def test_growth_counts_where_the_brightness_bears_it_out() -> None:
    assert changes(judged(drawn(A), drawn(WIDER), brighter(WIDER, 4))) == {1: "enlarging"}
    assert changes(judged(drawn(A), drawn(WIDER), BRIGHTER)) == {1: "unchanged"}
    assert changes(judged(drawn(WIDER), drawn(A), brighter(WIDER, -4))) == {1: "shrinking"}
    assert changes(judged(drawn(WIDER), drawn(A), brighter(WIDER, 4))) == {1: "unchanged"}


def test_a_lesion_keeps_its_identity_and_no_two_have_the_same() -> None:
    parts = drawn((slice(5, 8), slice(5, 12)), (slice(9, 12), slice(5, 12)))
    found = judged(drawn(WIDER), parts, BRIGHTER)
    assert list(found.heirs.values()) == [1]  # it fell in two: one of them is the old one
    assert sum(one.mm3_before or 0 for one in found.changes) == 147
    joined = judged(parts, drawn(WIDER), BRIGHTER)
    assert len(joined.heirs) == 1


def test_a_place_that_one_scan_does_not_show_says_nothing() -> None:
    field = np.ones(SHAPE, np.bool_)
    field[20:] = False
    found = judged(drawn(A), drawn(A, B), brighter(B, 9), field=field)
    assert changes(found) == {1: "unchanged"}
    assert not judged(drawn(B), drawn(), brighter(B, -9), field=field).gone


def test_a_lesion_at_the_edge_of_what_both_show_costs_no_comparison() -> None:
    field = np.ones(SHAPE, np.bool_)
    field[27:] = False  # less than half of the last lesion is shown
    cut = slice(26, 30), slice(26, 30), slice(5, 8)
    found = judged(drawn(A), drawn(A, cut), brighter(cut, 9), field=field)
    assert changes(found) == {1: "unchanged"}
    assert found.heirs == {1: 1}


def test_a_lesion_too_faint_to_be_outlined_before_is_not_new() -> None:
    faint = np.where(drawn(A) > 0, 0.5, 0.0).astype(np.float32)
    now = drawn(A)
    later = side((lesion(1, 48),), now, drawn(), faint, brighter(A, 5), np.ones(SHAPE, np.bool_))
    earlier = side((), drawn(), now, faint, BRIGHTER, np.ones(SHAPE, np.bool_))
    found = judge(earlier, replace(later), brighter(A, 5))
    assert found.changes[0].change != "new"
    assert found.changes[0].mm3_before is None


def test_what_faded_far_away_is_not_booked_to_another_lesion() -> None:
    before, now = drawn(A, B), drawn(A)
    faint = np.where(before == 2, 0.5, np.where(now > 0, 0.9, 0.0)).astype(np.float32)
    whole = np.ones(SHAPE, np.bool_)
    two = (lesion(1, 48.0), lesion(2, 48.0))
    earlier = side(two, before, now, faint, BRIGHTER, whole)
    later = side(
        two[:1], now, before, np.where(before > 0, 0.9, 0).astype(np.float32), BRIGHTER, whole
    )
    assert not earlier.is_alone(two[1])
    assert judge(earlier, later, BRIGHTER).changes[0].mm3_before == 48

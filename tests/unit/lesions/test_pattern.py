"""What all lesions together are like: their number, and places where MS has them or not."""

from dataclasses import replace

import numpy as np

from msnode.lesions import objects
from msnode.lesions.outline import LESION
from msnode.lesions.pattern import pattern, places
from tests.unit.lesions.heads import Drawn, head, lesion_at

CORPUS_CALLOSUM = (4.0, 24.0, 10.0)
CENTRUM_SEMIOVALE = (-26.0, -8.0, 34.0)
SIZE = (9.0, 9.0, 2)


def found(*where: tuple[float, float, float]) -> tuple[Drawn, objects.Found]:
    """A head with lesions in some places, outlined."""
    drawn = head()
    for mm in where:
        lesion_at(drawn, mm, SIZE)
    return drawn, drawn.found


def test_number_is_that_of_the_lesions() -> None:
    _, two = found(CORPUS_CALLOSUM, CENTRUM_SEMIOVALE)
    assert two.pattern is not None
    assert two.pattern.count == len(two.lesions) == 2


def test_places_of_ms_and_of_age_are_told_apart() -> None:
    (_, ms), (_, age) = found(CORPUS_CALLOSUM), found(CENTRUM_SEMIOVALE)
    assert ms.pattern is not None
    assert age.pattern is not None
    assert ms.pattern.place > 0.2 > -0.2 > age.pattern.place


def test_a_head_without_lesions_has_a_pattern_of_none() -> None:
    _, none = found()
    assert none.pattern is not None
    assert (none.pattern.count, none.pattern.place) == (0, 0.0)


def test_nothing_is_said_where_the_atlas_does_not_fit() -> None:
    drawn, one = found(CORPUS_CALLOSUM)
    assert one.fit is not None
    stray = replace(one.fit, likeness=0.2)
    assert pattern(one.labels == LESION, 1, drawn.volume, stray) is None


def test_both_sides_of_the_head_say_the_same() -> None:
    ratios = places().voxels
    assert np.allclose(ratios, ratios[::-1], atol=0.03)
    assert -3 < ratios.min() < -1 < 1 < ratios.max() < 3

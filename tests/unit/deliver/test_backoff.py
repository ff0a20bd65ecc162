from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.config import Retry
from msnode.deliver.backoff import pause, pauses, steady_pause


class Middle(Random):
    """Draws the middle of every interval: no jitter."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_the_pauses_double_up_to_the_longest() -> None:
    drawn = [pause(Retry(), attempt, Middle()) for attempt in range(1, 10)]
    assert drawn == [10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_the_pauses_end_after_give_up() -> None:
    assert list(pauses(Retry(first_s=1, longest_s=4, give_up_s=12), Middle())) == [1, 2, 4, 4, 4]


def test_the_default_goes_on_for_two_days() -> None:
    assert sum(pauses(Retry(), Middle())) == pytest.approx(2 * 86400, abs=900)


def test_nodes_that_failed_together_come_back_apart() -> None:
    assert len({pause(Retry(), 1, Random(seed)) for seed in range(10)}) == 10


@given(st.integers(1, 500), st.integers())
def test_a_pause_is_positive_and_never_too_long(attempt: int, seed: int) -> None:
    retry = Retry(first_s=2.0, longest_s=60.0, give_up_s=1e9)
    seconds = pause(retry, attempt, Random(seed))
    assert seconds is not None
    assert 1.6 <= seconds <= 60.0


@given(st.integers(1, 50))
def test_a_steady_pause_is_the_middle_of_the_others(attempt: int) -> None:
    retry = Retry(first_s=2.0, longest_s=60.0, give_up_s=1000.0)
    assert steady_pause(retry, attempt) == pause(retry, attempt, Middle())


def test_it_gives_up_for_good() -> None:
    retry = Retry(first_s=1, longest_s=4, give_up_s=12)
    given_up = [pause(retry, attempt) is None for attempt in range(1, 40)]
    assert given_up[5]
    assert all(earlier <= later for earlier, later in pairwise(given_up))

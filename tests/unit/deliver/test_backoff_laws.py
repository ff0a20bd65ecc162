"""What holds of the back-off for every setting that the configuration lets through."""

from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msnode.config import Retry
from msnode.config.rules import contradictions
from msnode.deliver.backoff import JITTER, pause, pauses, steady_pause


@st.composite
def retries(draw: st.DrawFn) -> Retry:
    """Any setting without a contradiction, whose series is not endless for a test."""
    first = draw(st.floats(0.001, 1e6))
    longest = first * draw(st.floats(1, 1e4))
    return Retry(first, longest, first * draw(st.floats(1, 500)))


def steady(retry: Retry) -> list[float]:
    """Every pause without jitter."""
    found: list[float] = []
    while (seconds := steady_pause(retry, len(found) + 1)) is not None:
        found.append(seconds)
    return found


@settings(max_examples=30)
@given(retries())
def test_pauses_grow_within_their_limits(retry: Retry) -> None:
    found = steady(retry)
    assert found[0] == retry.first_s
    assert all(earlier <= later <= 2 * earlier for earlier, later in pairwise(found))
    assert max(found) <= retry.longest_s


@settings(max_examples=30)
@given(retries())
def test_the_last_pause_is_the_one_that_reaches_give_up(retry: Retry) -> None:
    found = steady(retry)
    assert sum(found) >= retry.give_up_s * (1 - 1e-9)
    assert sum(found[:-1]) < retry.give_up_s * (1 + 1e-9)


@settings(max_examples=30)
@given(retries(), st.integers())
def test_jitter_moves_a_pause_a_little_and_never_the_end(retry: Retry, seed: int) -> None:
    nominal, drawn = steady(retry), list(pauses(retry, Random(seed)))
    assert len(drawn) == len(nominal)
    for seconds, middle in zip(drawn, nominal, strict=True):
        assert (1 - JITTER) * middle <= seconds <= min((1 + JITTER) * middle, retry.longest_s)


@given(retries(), st.integers(1, 3000))
def test_who_gave_up_never_begins_again(retry: Retry, attempt: int) -> None:
    given_up = [pause(retry, later) is None for later in range(attempt, attempt + 3)]
    assert given_up == sorted(given_up)


def test_an_endless_series_never_overflows() -> None:
    retry = Retry(first_s=1e-3, longest_s=3e7, give_up_s=3e7)
    assert list(contradictions(retry)) == []
    assert all(seconds <= 3e7 for seconds in islice(pauses(retry), 100))
    assert steady_pause(Retry(1.0, 1e9, 1e300), 2000) == pytest.approx(1e9)

"""A study gets through among a hundred hostile peers, which are those of bench/hostile.py."""

import pytest

from bench.hostile import compare
from tests.acceptance.peers import tool

ROUNDS = 6  # on a machine that is busy with other things one measurement says little


@pytest.mark.long
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_study_gets_through_within_twice_its_usual_time(secure: bool) -> None:
    tool("storescu", "dcmtk")
    times = []
    for _ in range(ROUNDS):
        times.append(compare(60, secure=secure))
        quiet, hostile = map(sum, zip(*times, strict=True))
        if hostile <= 2 * quiet:
            return
    pytest.fail(f"seconds in quiet and among attackers: {times}")

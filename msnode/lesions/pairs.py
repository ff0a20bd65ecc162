"""The same work for two scans at once, on two cores; the result does not depend on their number."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

One = TypeVar("One")
Made = TypeVar("Made")


def both(work: Callable[[One], Made], pair: tuple[One, One]) -> tuple[Made, Made]:
    """What ``work`` makes of each; most of it must be numpy's or scipy's, which run in parallel."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, pair)
    return first, second

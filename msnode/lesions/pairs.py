"""The same work for several things at once, on two cores; results do not depend on their number."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

One = TypeVar("One")
Made = TypeVar("Made")


def each(work: Callable[[One], Made], things: Iterable[One]) -> list[Made]:
    """What ``work`` makes of each; most of it must be numpy's or scipy's, which run in parallel."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, things))


def both(work: Callable[[One], Made], pair: tuple[One, One]) -> tuple[Made, Made]:
    """As `each`, of two."""
    first, second = each(work, pair)
    return first, second

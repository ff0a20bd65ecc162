"""Two samples: how far apart (PSI), how likely that by chance (KS, permutation), which of many.

PSI: population stability index, the sum of (a - b) ln(a / b) over bins, with a and b the shares of
the two samples. KS: Kolmogorov and Smirnov's test. Several tests at once: Holm (1979).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import scipy  # which loads scipy.stats when it is asked for: a tenth of a node's start
from numpy.typing import ArrayLike, NDArray

from msnode.records.images import Float64Array

BINS = 10
DRAWS = 100_000
"""Of a permutation test; no chance below a part in so many can be told."""
FEW_DRAWS, ENOUGH = 2000, 100
"""So many of so few draws mean a chance of a twentieth or more."""
Counts = NDArray[np.int64]


def psi(base: Counts, now: Counts) -> Float64Array:
    """The index of counts, (…, bins) each; half a study more in each bin, so that none is empty."""
    a, b = ((one + 0.5) / (one.sum(-1, keepdims=True) + 0.5 * one.shape[-1]) for one in (base, now))
    index: Float64Array = ((a - b) * np.log(a / b)).sum(-1)
    return index


def binned(base: ArrayLike, now: ArrayLike) -> tuple[Counts, Counts]:
    """Counts of two samples in bins that hold a tenth of both together, as far as ties let them."""
    one_sample, other_sample = np.asarray(base, np.float64), np.asarray(now, np.float64)
    both = np.concatenate([one_sample, other_sample])
    edges = np.unique(np.quantile(both, np.linspace(0, 1, BINS + 1)[1:-1]))
    one, other = (np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1)
                  for sample in (one_sample, other_sample))  # fmt: skip
    return one, other


def counted(base: Mapping[str, int], now: Mapping[str, int]) -> tuple[Counts, Counts]:
    """Counts of two samples by name."""
    names = sorted({*base, *now})
    one, other = (np.array([sample.get(name, 0) for name in names], np.int64)
                  for sample in (base, now))  # fmt: skip
    return one, other


def psi_chance(base: Counts, now: Counts) -> float:
    """How likely such an index, or a higher one, is where both are of one kind.

    A permutation test: which studies are the later ones is drawn, the bins being those of all.
    """
    both, number = tuple((base + now).tolist()), int(now.sum())
    found = float(psi(base, now)) * (1 - 1e-9)  # what is equal but for rounding counts as equal
    few = np.count_nonzero(_drawn(both, number, FEW_DRAWS) >= found)
    if few >= ENOUGH:  # nobody would take it for drift, whatever more draws say
        return float((few + 1) / (FEW_DRAWS + 1))
    return float((np.count_nonzero(_drawn(both, number, DRAWS) >= found) + 1) / (DRAWS + 1))


@lru_cache(maxsize=64)
def _drawn(both: tuple[int, ...], number: int, draws: int) -> Float64Array:
    """(draws,) indices of samples that differ by chance alone."""
    rng = np.random.default_rng(0)
    total = np.array(both, np.int64)
    later = rng.multivariate_hypergeometric(total, number, draws)
    return psi(total - later, later)


def ks_chance(base: ArrayLike, now: ArrayLike) -> float:
    """How likely such a distance of two distributions is by chance; asymptotic."""
    return float(
        scipy.stats.ks_2samp(
            np.asarray(base, np.float64), np.asarray(now, np.float64), method="asymp"
        ).pvalue
    )


def share_chance(base: tuple[int, int], now: tuple[int, int]) -> float:
    """Fisher's exact test of two shares, each as how many of how many."""
    table = np.array([[hits, of - hits] for hits, of in (base, now)])
    return float(scipy.stats.fisher_exact(table).pvalue)


def holm(chances: Sequence[float], alpha: float) -> list[bool]:
    """Which of many tests stand, with a chance of at most alpha that any does by chance."""
    order = sorted(range(len(chances)), key=lambda k: chances[k])
    stands = [False] * len(chances)
    for rank, k in enumerate(order):
        if chances[k] > alpha / (len(chances) - rank):
            break
        stands[k] = True
    return stands

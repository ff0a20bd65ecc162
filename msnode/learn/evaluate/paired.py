"""Evaluation with the position held fixed: a scan against its own lesion-filled twin.

Lesions lie mid-brain, so a slice's height alone says much about whether it bears lesions. Here each
lesion-bearing slice is compared with the same slice with its lesions filled in; both also have
lesion-free places filled, so that filling gives nothing away. A position-only baseline is added.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from msnode.learn.data.splits import Labels
from msnode.learn.evaluate.figures_of_merit import Figure, auc, interval, resampled
from msnode.learn.evaluate.platt_scaling import mean_top
from msnode.learn.synth.composition import LESION_PIXELS, SlicePool
from msnode.records.images import Float64Array

SIZES = (LESION_PIXELS, 40), (40, 120), (120, None)
"""Ranges of lesion pixels in a slice: from the first number, below the second."""

Predict = Callable[[Tensor], Float64Array]
"""(n, 1, rows, cols) images to (n,) logits of "lesions here"."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Logits of every slice and of its lesion-filled twin.

    Attributes:
        real: (n,) logits of the slices, with decoys filled.
        twin: (n,) logits of the same with the lesions filled too.
        pixels: (n,) of lesion in the slice of 224x224.
        persons: (n,) whose slice it is.
        heights_mm: (n,) below the highest slice.
    """

    real: Float64Array
    twin: Float64Array
    pixels: NDArray[np.int64]
    persons: NDArray[np.str_]
    heights_mm: Float64Array

    @property
    def bearing(self) -> NDArray[np.bool_]:
        """(n,) whether there is enough lesion to count."""
        return self.pixels >= LESION_PIXELS

    def scaled(self, slope: float, bias: float) -> "Scored":
        """The same with every logit calibrated."""
        return replace(self, real=slope * self.real + bias, twin=slope * self.twin + bias)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Scored":
        """Some of the slices."""
        return Scored(
            self.real[rows],
            self.twin[rows],
            self.pixels[rows],
            self.persons[rows],
            self.heights_mm[rows],
        )


def together(parts: Sequence[Scored]) -> Scored:
    """Several folds as one."""
    columns = zip(*([getattr(p, f.name) for f in fields(Scored)] for p in parts), strict=True)
    return Scored(*(np.concatenate(column) for column in columns))


def score(
    heads: SlicePool, persons: NDArray[np.str_], heights_mm: Float64Array, predict: Predict
) -> Scored:
    """Run a classifier on slices and twins.

    Args:
        heads: the slices with their edits.
        persons: one per slice.
        heights_mm: one per slice.
        predict: the classifier.
    """
    real = (heads.images.float() + heads.decoyed.float()).clamp(0, 1)[:, None]
    pixels = heads.lesions.flatten(1).sum(1).numpy()
    twin_images = (real + heads.filled.float()[:, None]).clamp(0, 1)
    logits = predict(real)
    twin = logits.copy()
    twin[pixels > 0] = predict(twin_images[pixels > 0])
    return Scored(logits, twin, pixels, persons, heights_mm)


def against_twins(s: Scored) -> float:
    """AUC of lesion-bearing slices against the same slices filled."""
    return _two(s.real[s.bearing], s.twin[s.bearing])


def against_free(s: Scored) -> float:
    """AUC of lesion-bearing against lesion-free slices; position helps here."""
    return _two(s.real[s.bearing], s.real[~s.bearing])


def of_size(s: Scored, low: int, high: int | None) -> float:
    """``against_twins`` of the slices with so much lesion; nan where there are none."""
    chosen = (s.pixels >= low) & (s.pixels < (high or np.inf))
    return _two(s.real[chosen], s.twin[chosen])


def by_position(s: Scored) -> float:
    """AUC that the height alone reaches: each person's slices ranked by the others' lesion rate.

    The rate at a height is a Gaussian mean (8 mm) over the other persons' slices.
    """
    rates = np.empty(len(s.real))
    for row, (person, height) in enumerate(zip(s.persons, s.heights_mm, strict=True)):
        others = s.persons != person
        near = np.exp(-0.5 * ((s.heights_mm[others] - height) / 8) ** 2) + 1e-9
        rates[row] = float((near * s.bearing[others]).sum() / near.sum())
    return _two(rates[s.bearing], rates[~s.bearing])


def wins(s: Scored) -> float:
    """Fraction of lesion-bearing slices that score above their own twin."""
    return float((s.real > s.twin)[s.bearing].mean()) if s.bearing.any() else float("nan")


def studies(s: Scored, top: int) -> tuple[Float64Array, Float64Array]:
    """Mean of the ``top`` highest logits of every person's scan, and of its twin."""
    names = np.unique(s.persons)
    real = [mean_top(s.real[s.persons == name], top) for name in names]
    twin = [mean_top(s.twin[s.persons == name], top) for name in names]
    return np.array(real), np.array(twin)


def study_auc(s: Scored, top: int, draws: int = 1000, seed: int = 0) -> Figure:
    """AUC of scans against their lesion-filled twins, with its interval over persons."""
    real, twin = studies(s, top)
    picks = np.random.default_rng(seed).integers(len(real), size=(draws, len(real)))
    return Figure(_two(real, twin), *interval([_two(real[pick], twin[pick]) for pick in picks]))


def figures(s: Scored, top: int, draws: int = 1000, seed: int = 0) -> dict[str, Figure]:
    """Every figure with its 95 % interval by bootstrap over persons."""
    measures: dict[str, Callable[[Scored], float]] = {
        "slice_auc_against_filled_twin": against_twins,
        "slice_auc_against_lesion_free": against_free,
        "slice_above_its_twin": wins,
    }
    for low, high in SIZES:
        name = f"slice_auc_against_filled_twin_{low}_to_{high - 1 if high else 'any'}_pixels"
        measures[name] = partial(of_size, low=low, high=high)
    samples = [s.take(rows) for rows in resampled(list(s.persons), draws, seed)]
    found = {
        name: Figure(measure(s), *interval([measure(sample) for sample in samples]))
        for name, measure in measures.items()
    }
    position = Figure(by_position(s), np.nan, np.nan)
    return found | {
        "study_auc_against_filled_twin": study_auc(s, top, draws, seed),
        "position_only_auc_against_lesion_free": position,
    }


def _two(positives: Float64Array, negatives: Float64Array) -> float:
    """AUC of one group against another."""
    labels: Labels = np.repeat([1, 0], [len(positives), len(negatives)])
    return auc(labels, np.concatenate([positives, negatives]))

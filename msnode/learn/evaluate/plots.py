"""Curves of a run as PNG: ROC, precision-recall, reliability, learning."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from msnode.learn.data.splits import Labels
from msnode.learn.evaluate.figures_of_merit import BINS, ONE_CLASS, auc, average_precision
from msnode.learn.train.end_to_end import read_history
from msnode.records.images import Float64Array

MODEL, NAIVE, GUIDE = "#1f5f8b", "#b8860b", "#9aa0a6"
STYLES = {"model": "-", "naive": "--"}
mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})


def curves(folder: Path, labels: Labels, scores: Float64Array, naive: Float64Array) -> None:
    """Write curves.png and, for every history.csv below the folder, learning.png.

    Args:
        folder: the run directory.
        labels: (n,) 0 or 1.
        scores: (n,) probabilities of the model.
        naive: (n,) probabilities of the naive classifier.
    """
    picture = Picture(figsize=(13, 4.2), layout="constrained")
    left, middle, right = picture.subplots(1, 3)
    if len(np.unique(labels)) < 2:
        for axes, title in ((left, "ROC"), (middle, "Precision and recall")):
            axes.set(title=title)
            axes.text(0.5, 0.5, f"not defined:\n{ONE_CLASS}", ha="center", va="center")
    else:
        for name, values, colour in (("model", scores, MODEL), ("naive", naive, NAIVE)):
            _roc(left, labels, values, name, colour)
            _precision_recall(middle, labels, values, name, colour)
        left.legend(frameon=False, loc="lower right")
        middle.legend(frameon=False, loc="lower left")
    _reliability(right, labels, scores)
    for axes in (left, middle, right):
        axes.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    picture.savefig(folder / "curves.png", dpi=120)
    _learning(folder)


def _roc(axes: Axes, labels: Labels, scores: Float64Array, name: str, colour: str) -> None:
    """True against false positives."""
    order = np.argsort(-scores, kind="stable")
    hits = np.append(0, np.cumsum(labels[order] == 1)) / max(1, (labels == 1).sum())
    alarms = np.append(0, np.cumsum(labels[order] == 0)) / max(1, (labels == 0).sum())
    axes.plot(
        alarms, hits, color=colour, ls=STYLES[name], label=f"{name}, AUC {auc(labels, scores):.3f}"
    )
    axes.plot([0, 1], [0, 1], color=GUIDE, lw=0.8, ls=":")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC")


def _precision_recall(
    axes: Axes, labels: Labels, scores: Float64Array, name: str, colour: str
) -> None:
    """Precision against recall."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order] == 1)
    area = average_precision(labels, scores)
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / max(1, hits[-1])
    precision, recall = np.append(precision[0], precision), np.append(0, recall)
    axes.plot(recall, precision, color=colour, ls=STYLES[name], label=f"{name}, AP {area:.3f}")
    axes.set(xlabel="sensitivity (recall)", ylabel="precision", title="Precision and recall")


def _reliability(axes: Axes, labels: Labels, scores: Float64Array) -> None:
    """Observed frequency against probability; the area of a dot shows the number of images."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    used = np.unique(bins)
    said = [scores[bins == b].mean() for b in used]
    seen = [labels[bins == b].mean() for b in used]
    sizes = [20 + 400 * (bins == b).mean() for b in used]
    axes.plot([0, 1], [0, 1], color=GUIDE, lw=0.8, ls=":")
    axes.plot(said, seen, color=MODEL, lw=1)
    axes.scatter(said, seen, s=sizes, color=MODEL, alpha=0.75, clip_on=False, zorder=3)
    axes.set(xlabel="probability", ylabel="observed", title="Reliability")


def _learning(folder: Path) -> None:
    """Training and validation loss by epoch, one picture beside every history."""
    for file in sorted(folder.rglob("history.csv")):
        rows = read_history(file)
        picture = Picture(figsize=(5.5, 3.6), layout="constrained")
        axes = picture.subplots()
        epochs = [int(row["epoch"]) for row in rows]
        for name, colour in (("training", GUIDE), ("validation", MODEL)):
            axes.plot(epochs, [float(row[name]) for row in rows], color=colour, label=name)
        axes.set(xlabel="epoch", ylabel="cross-entropy")
        axes.legend(frameon=False)
        picture.savefig(file.with_name("learning.png"), dpi=120)

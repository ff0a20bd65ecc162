"""What the three papers report, to be shown beside what is measured here.

Their figures come from other data and, where they split by slice or tile, from splits with images
of one person on both sides: they give orientation but are not comparable. Where a paper contradicts
itself, all its figures are quoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from msnode.learn.evaluate import markdown
from msnode.learn.evaluate.figures_of_merit import Figure


@dataclass(frozen=True, slots=True)
class Published:
    """One paper's figures of one model.

    Attributes:
        source: paper and table or section.
        figures: by our measure's name, as printed in the paper.
    """

    source: str
    figures: Mapping[str, str]


_HYBRID = "Palaniappan & Rathinavelayutham 2025"
_SHALLOW = "Rajabzadeh et al. 2025"
PUBLISHED: dict[str, tuple[Published, ...]] = {
    "hybrid": (
        Published(
            f"{_HYBRID}, Table 5, with mix-up",
            {"accuracy": "0.9967", "auc": "0.9902", "precision": "0.9918", "sensitivity": "0.9846"},
        ),
        Published(f"{_HYBRID}, without mix-up", {"accuracy": "0.9871"}),
    ),
    "shallow_cnn": (
        Published(
            f"{_SHALLOW}, abstract",
            {"accuracy": "0.926", "sensitivity": "0.84", "specificity": "0.95"},
        ),
        Published(
            f"{_SHALLOW}, section 4",
            {"accuracy": "0.964", "sensitivity": "0.95", "specificity": "0.98"},
        ),
    ),
    "svm": (
        Published(
            f"{_SHALLOW}, two versions",
            {
                "accuracy": "0.85 or 0.8813",
                "sensitivity": "0.8261 or 0.84",
                "specificity": "0.98 or 0.99",
            },
        ),
    ),
    "decision_tree": (
        Published(
            f"{_SHALLOW}, two versions",
            {
                "accuracy": "0.98 or 0.8372",
                "sensitivity": "0.95 or 0.8261",
                "specificity": "0.8372 or 0.85",
            },
        ),
    ),
    "swin": (Published("RAAK KIEM.HT.01.079, final report, most folds", {"f1": "0.80 to 0.90"}),),
}


def table(
    architecture: str, figures: Mapping[str, Figure], naive: Mapping[str, Figure], split: str
) -> str:
    """A Markdown table of our figures, the naive classifier's and the papers'.

    Args:
        architecture: name in the table of classifiers.
        figures: measured per image.
        naive: the naive classifier's.
        split: how persons were split; a leaking split is labelled as such.
    """
    published = PUBLISHED.get(architecture, ())
    heads = ["measure", f"measured, {split}", "naive", *(p.source for p in published)]
    lines = markdown.header(heads)
    for name, figure in figures.items():
        printed = [p.figures.get(name, "-") for p in published]
        lines.append(markdown.row([name, str(figure), str(naive[name]), *printed]))
    return "\n".join(lines) + "\n"

"""From a trained model and its figures to a bundle with CARD.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from msnode import __version__
from msnode.classify import Classifier, Manifest, save_bundle
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.operating_point import Judgement
from msnode.learn.train.cohort import contract_of
from msnode.learn.train.recipe import Plan
from msnode.records.learned_persons import LearnedPersons
from msnode.records.population import Strata

Tables = Mapping[str, Mapping[str, Figure]]
"""Figures by measure, by heading."""


def write(
    folder: Path,
    plan: Plan,
    model: Classifier,
    judgement: Judgement,
    studies: Mapping[str, Figure],
    measured_on: str,
    card: str,
    strata: Strata,
    persons: LearnedPersons,
) -> Manifest:
    """Write a bundle of a user's own model.

    Args:
        folder: of the bundle.
        plan: that the model was trained by.
        model: trained.
        judgement: calibration, study rule and operating point.
        studies: figures per study; sensitivity and specificity are shown with every result.
        measured_on: the people and the split behind these figures.
        card: CARD.md.
        strata: what it learned from; studies outside of it get a warning.
        persons: whom it learned from and was calibrated on.
    """
    taught = plan.target == "lesions" and plan.filled and plan.two_stage
    located = taught and bool(model.grids)
    manifest = Manifest(
        name=plan.architecture,
        version=__version__,
        architecture=plan.architecture,
        input=contract_of(plan),
        arguments=plan.arguments,
        calibration=judgement.calibration,
        rule=judgement.rule,
        threshold=judgement.study_threshold,
        undetermined=undetermined(judgement.study_threshold, _known(studies, "ece")),
        saliency="locations" if located else "grad-cam",
        sensitivity=_known(studies, "sensitivity"),
        specificity=_known(studies, "specificity"),
        measured_on=measured_on,
        strata=strata,
        persons=persons,
    )
    return save_bundle(folder, model, manifest, card)


def undetermined(threshold: float, ece: float | None) -> tuple[float, float] | None:
    """The probabilities without a decision: those nearer to the threshold than they may be wrong.

    Args:
        threshold: of studies.
        ece: expected calibration error of studies that were not learned from; None: not measured.

    Returns:
        [low, high), to whole per cent, or None.
    """
    if ece is None:
        return None
    low, high = round(max(threshold - ece, 0.0), 2), round(min(threshold + ece, 1.0), 2)
    return (low, high) if low < high else None


def _known(figures: Mapping[str, Figure], name: str) -> float | None:
    """The value of a figure; None if it was not measured."""
    value = figures[name].value if name in figures else np.nan
    return None if np.isnan(value) else value


def card(plan: Plan, tables: Tables, warnings: Sequence[str] = ()) -> str:
    """CARD.md of a user's own model."""
    lines = [f"# {plan.architecture}", "", "Research use only; not a medical device.", ""]
    for heading, part in tables.items():
        if not part:
            continue
        lines += [f"## {heading}", "", "| measure | value (95 % interval over persons) |"]
        lines += ["|---|---|", *(f"| {name} | {figure} |" for name, figure in part.items()), ""]
    return "\n".join([*lines, *(f"- {warning}" for warning in warnings), ""])

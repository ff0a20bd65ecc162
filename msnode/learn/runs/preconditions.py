"""What speaks against a run, found before its folder is made and its images are prepared."""

from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from msnode.classify import Classifier, build
from msnode.errors import ConfigError
from msnode.learn.data import splits
from msnode.learn.data.index_csv import Row
from msnode.learn.train import classical, end_to_end, lesion_supervised, outlining
from msnode.learn.train.cohort import check_labels
from msnode.learn.train.recipe import OUTLINES, Plan

SHOWN = 20
"""So many lines of the index are named at most."""


def check(rows: Sequence[Row], plan: Plan, scheme: str, count: int = 5) -> None:
    """Refuse a run that would fail after its images are prepared.

    Args:
        rows: of the index.
        plan: what is to be trained.
        scheme: of the split, or ``everyone``.
        count: folds of ``k-fold``.

    Raises:
        ConfigError: the plan contradicts itself, the index or its files; names the setting.
        Refused: there are too few persons for the scheme.
    """
    if plan.architecture == OUTLINES:
        masked(rows, "outlining is learned from lesion masks")
        _starts(plan, (outlining.CHECKPOINT,))
    else:
        check_labels(rows, plan)
        _both_labels(rows, plan)
        _trainable(plan)
    if scheme == "everyone":
        if plan.architecture in classical.KINDS:
            raise ConfigError(f"{plan.architecture} is for comparison only; it has no bundle")
    elif scheme != "leaking":
        _splittable(rows, plan, scheme, count)


def _splittable(rows: Sequence[Row], plan: Plan, scheme: str, count: int) -> None:
    """There are enough persons, and sites, for the scheme."""
    people = [row for row in rows if row.role != "train"]
    outlines = plan.architecture == OUTLINES
    elsewhere = {r.site for r in rows} - {r.site for r in people}
    if outlines and scheme == "leave-one-site-out" and people and elsewhere:
        return  # whatever site is left out, there are those that are only learned from
    classes = ["lesions" if outlines else row.label for row in people]
    splits.by_scheme(scheme, [r.person for r in people], classes, [r.site for r in people], count)


def _both_labels(rows: Sequence[Row], plan: Plan) -> None:
    """There is something to be told apart."""
    if plan.target == "label" and all(row.label == plan.positive for row in rows):
        raise ConfigError(
            f"all images are of one class, {plan.positive!r}: there is nothing to tell apart; add"
            " rows of another label, or ask with target=lesions whether a slice shows lesions"
        )


def masked(rows: Sequence[Row], why: str) -> None:
    """Every row has a lesion mask."""
    if bare := [str(row.number) for row in rows if row.lesions is None]:
        raise ConfigError(f"column lesions is empty in lines {', '.join(bare[:SHOWN])}; {why}")


def _trainable(plan: Plan) -> None:
    """The plan's architecture can be trained in the plan's way."""
    if plan.architecture in classical.KINDS:
        return
    model = build(plan.architecture, plan.arguments)
    halves = ("hybrid", *lesion_supervised.CROPS)
    if plan.frozen:
        if plan.architecture != "hybrid" or not plan.weights:
            raise ConfigError("frozen is for the hybrid, with weights of both backbones; name them")
    elif plan.two_stage and plan.target == "lesions" and plan.filled:
        if plan.architecture not in halves:
            raise ConfigError(
                f"two_stage on lesions is for {', '.join(halves)}, not {plan.architecture}; set"
                " two_stage to false"
            )
        if plan.weights:
            raise ConfigError("weights: two_stage on lesions teaches from scratch; use start")
        _starts(plan, [f"{half}.safetensors" for half in _branches(plan)])
    elif plan.two_stage and plan.architecture != "hybrid":
        raise ConfigError(f"two_stage is for hybrid, not {plan.architecture}; set it to false")
    _pretrained(model, plan)


def _branches(plan: Plan) -> Sequence[str]:
    return tuple(lesion_supervised.CROPS) if plan.architecture == "hybrid" else (plan.architecture,)


def _pretrained(model: Classifier, plan: Plan) -> None:
    """The plan's pretrained weights fit the architecture."""
    if not plan.weights:
        return
    fitting = end_to_end.pretrain(model, plan.weights)
    if plan.frozen and fitting < len(lesion_supervised.CROPS):
        raise ConfigError(f"weights: {plan.weights} fits one backbone only; frozen needs both")


def _starts(plan: Plan, names: Sequence[str]) -> None:
    """The checkpoints of an earlier run are there, if the plan goes on from them."""
    for file in (Path(plan.start) / name for name in names) if plan.start else ():
        try:
            with safe_open(file, "pt"):
                continue
        except (OSError, SafetensorError) as error:
            raise ConfigError(
                f"start: {file} is no checkpoint ({error}); name a fold of an earlier run, such as"
                " RUN/fold-1"
            ) from error

"""Learning: data sets, splits by person, training, cross-validation, calibration, evaluation."""

from msnode.learn.data.splits import SCHEMES
from msnode.learn.evaluate.confounds import Findings, check
from msnode.learn.runs import outlining_evaluation, outlining_runs
from msnode.learn.runs.ablation import ablate
from msnode.learn.runs.directory import Outcome
from msnode.learn.runs.experiments import baseline, crossval, evaluate, train
from msnode.learn.runs.final_model import train_on_everyone
from msnode.learn.runs.outlining_runs import Outlined
from msnode.learn.runs.reduction import Reduction
from msnode.learn.runs.replicate import Order, replicate
from msnode.learn.train.cohort import Cohort, open_cohort
from msnode.learn.train.recipe import OUTLINES, PRESETS, Plan, plan

__all__ = [
    "OUTLINES",
    "PRESETS",
    "SCHEMES",
    "Cohort",
    "Findings",
    "Order",
    "Outcome",
    "Outlined",
    "Plan",
    "Reduction",
    "ablate",
    "baseline",
    "check",
    "crossval",
    "evaluate",
    "open_cohort",
    "outlining_evaluation",
    "outlining_runs",
    "plan",
    "replicate",
    "train",
    "train_on_everyone",
]

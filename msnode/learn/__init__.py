"""Learning: data sets, splits by person, training, cross-validation, calibration, evaluation."""

from msnode.learn.ablation import ablate
from msnode.learn.check import Findings, check
from msnode.learn.cohort import SCHEMES, Cohort, open_cohort
from msnode.learn.everyone import train_on_everyone
from msnode.learn.experiments import baseline, crossval, evaluate, train
from msnode.learn.plan import PRESETS, Plan, plan
from msnode.learn.replicate import replicate
from msnode.learn.runs import Outcome

__all__ = [
    "PRESETS",
    "SCHEMES",
    "Cohort",
    "Findings",
    "Outcome",
    "Plan",
    "ablate",
    "baseline",
    "check",
    "crossval",
    "evaluate",
    "open_cohort",
    "plan",
    "replicate",
    "train",
    "train_on_everyone",
]

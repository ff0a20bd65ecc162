"""Classify a study's slices: the table of classifiers, the bundle, the study decision."""

from msnode.classify.bundle import Bundle, DataSource, Manifest, load_bundle, save_bundle
from msnode.classify.contract import CLASSES, TABLE, Classifier, Grid, architectures, build
from msnode.classify.decision import Calibration, StudyRule

__all__ = [
    "CLASSES",
    "TABLE",
    "Bundle",
    "Calibration",
    "Classifier",
    "DataSource",
    "Grid",
    "Manifest",
    "StudyRule",
    "architectures",
    "build",
    "load_bundle",
    "save_bundle",
]

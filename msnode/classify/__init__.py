"""Classify a study's slices: the table of classifiers, the bundle, the study decision."""

from msnode.classify.bundle import Bundle, Manifest, load_bundle, load_manifest, save_bundle
from msnode.classify.cache import is_saved, load_info, load_scores, save_info, save_scores
from msnode.classify.contract import CLASSES, TABLE, Classifier, Grid, architectures, build
from msnode.classify.decision import Calibration, StudyRule
from msnode.classify.runtime import Runner
from msnode.store.bundle_files import DataSource

__all__ = [
    "CLASSES",
    "TABLE",
    "Bundle",
    "Calibration",
    "Classifier",
    "DataSource",
    "Grid",
    "Manifest",
    "Runner",
    "StudyRule",
    "architectures",
    "build",
    "is_saved",
    "load_bundle",
    "load_info",
    "load_manifest",
    "load_scores",
    "save_bundle",
    "save_info",
    "save_scores",
]

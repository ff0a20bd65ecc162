"""Looks for drift once an hour, and shows in metrics what is known of it."""

import logging
from pathlib import Path

import sqlalchemy as sa

from msnode import metrics
from msnode.config import Drift
from msnode.drift import DriftState, PartState, look
from msnode.drift.reference import read_reference
from msnode.errors import ConfigError

log = logging.getLogger(__name__)


class DriftWatch:
    """Looks.

    Args:
        settings: of the node.
        database: migrated.
        bundle: folder of the model's bundle, which may have a reference.
    """

    def __init__(self, settings: Drift, database: sa.Engine, bundle: Path) -> None:
        self._settings = settings
        self._database = database
        self._bundle = bundle
        self._told: set[str] = set()

    def measure(self) -> None:
        """Look, and show it; what begins to drift is logged once."""
        try:
            reference = read_reference(self._bundle)
        except ConfigError as error:
            log.warning("drift is told without the training data: %s", error)
            reference = None
        state = look(self._database, self._settings, reference)
        show(state)
        drifting = {f"{part.part} {name}" for part in state.parts for name in part.drifting}
        for name in sorted(drifting - self._told):
            log.warning("drift: %s is other than it was; see msnode drift report", name)
        self._told = drifting


def show(state: DriftState) -> None:
    """Put what is known into the metrics; what is not known any more goes from them."""
    for gauge in (metrics.DRIFT_PSI, metrics.DRIFT_ALARM):
        gauge.clear()
    for part in state.parts:
        metrics.DRIFT_KNOWN.labels(part.part).set(part.is_known)
        metrics.DRIFT_MISSING.labels(part.part).set(part.missing)
        _show(part)
    metrics.DRIFT_NEW_SCANNERS.set(len(state.input.new_scanners))


def _show(part: PartState) -> None:
    for one in part.values:
        metrics.DRIFT_ALARM.labels(one.name).set(one.drifts)
        if one.psi is not None:
            metrics.DRIFT_PSI.labels(one.name, "baseline").set(one.psi)
        if one.training_psi is not None:
            metrics.DRIFT_PSI.labels(one.name, "training").set(one.training_psi)

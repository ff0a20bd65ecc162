"""The node's own first studies: frozen once, as numbers that belong to nobody."""

import json
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from msnode.drift.sample import DriftSample, one_of_each, sample_of
from msnode.drift.state import Part
from msnode.store.evidence_tables import baselines
from msnode.store.study_values import StudyValues, listed


@dataclass(frozen=True, slots=True)
class FrozenBaseline:
    """A baseline.

    Attributes:
        frozen_at: its last study came then, unix s.
    """

    frozen_at: float
    sample: DriftSample


def baseline_key(part: Part, model_digest: str) -> str:
    """Of the input one for the node, of the output one for each model."""
    return "input" if part == "input" else model_digest


def find(connection: sa.Connection, key: str) -> FrozenBaseline | float:
    """The baseline, or since when studies are collected for it, unix s."""
    row = connection.execute(
        sa.select(baselines).where(baselines.c.model_digest == key)
    ).one_or_none()
    if row is None or not row.studies:
        return row.frozen_at if row is not None else 0.0
    return FrozenBaseline(row.frozen_at, DriftSample(**json.loads(row.told)))


def collected(
    connection: sa.Connection, part: Part, model_digest: str, since: float, most: int
) -> list[StudyValues]:
    """The first studies since a moment, one of each patient."""
    digest = model_digest if part == "output" else None
    return one_of_each(listed(connection, since, model_digest=digest))[:most]


def freeze(connection: sa.Connection, key: str, part: Part, rows: list[StudyValues]) -> None:
    """Keep a baseline for good; another host may do the same at the same moment.

    Raises:
        sqlalchemy.exc.IntegrityError: it was quicker.
    """
    told = json.dumps(asdict(sample_of(rows, part)))
    row = {"frozen_at": rows[-1].recorded_at, "studies": len(rows), "told": told}
    _replace(connection, key, row)


def restart(connection: sa.Connection, key: str, now: float) -> None:
    """Collect a baseline anew, of studies that come from now on."""
    _replace(connection, key, {"frozen_at": now, "studies": 0, "told": "{}"})


def _replace(connection: sa.Connection, key: str, row: dict[str, object]) -> None:
    connection.execute(baselines.delete().where(baselines.c.model_digest == key))
    connection.execute(baselines.insert(), {"model_digest": key} | row)

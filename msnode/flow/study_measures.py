"""What is kept of each study's numbers, so that drift is noticed and evidence told apart."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa

from msnode.records.results import Report
from msnode.records.uid_hash import uid_hash
from msnode.store.study_values import record


def keep_values(database: sa.Engine, made: Report) -> None:
    """Put a result's numbers on record; the same result again puts the same there."""
    slices = made.slices
    known = slices.acquisition if slices is not None else None
    row: dict[str, Any] = {
        "generation": made.generation,
        "scanner": known.scanner if known is not None else "",
        "sequence": known.dimensions[:32] if known is not None else "",
        "age": known.age_years if known is not None else None,
        "sex": known.sex if known is not None else "",
        "told": {name: round(value, 6) for name, value in _numbers(made) if np.isfinite(value)},
    }
    with database.begin() as connection:
        record(connection, uid_hash(made.study_instance_uid), row, made.created_at)


def _numbers(made: Report) -> Iterator[tuple[str, float]]:
    """Of input and output, by name; see docs/drift.md."""
    if made.slices is not None:
        yield from made.slices.measured.items()
        yield "distance_mm", float(made.slices.distance_mm)
        yield "slices", float(len(made.slices.affines))
    if made.finding is not None:
        yield "probability", made.finding.probability
        of_slices = [one.probability for one in made.finding.slices]
        yield "slice_median", float(np.median(of_slices))
        yield "slice_highest", float(np.max(of_slices))
    if made.lesions is not None and made.lesions.reason is None:
        yield "lesion_ml", made.lesions.ml
        yield "lesion_count", float(len(made.lesions.lesions))

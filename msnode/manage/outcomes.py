"""What there is to say of a result: its outcome, and which of its objects is which."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode.store.database import results

Result = dict[str, Any]
"""outcome, probability, threshold, reason, model, created_at."""


def result_of(database: sa.Engine, study_key: str, generation: int) -> Result | None:
    """The result of a generation of a study; None where there is none yet."""
    columns = results.c
    query = sa.select(
        columns.outcome, columns.probability, columns.threshold, columns.reason, columns.model,
        columns.created_at,
    ).where(columns.study_key == study_key, columns.generation == generation)  # fmt: skip
    with database.connect() as connection:
        row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def in_words(result: Result | None) -> str:
    """A result in a line."""
    if result is None:
        return "no result yet"
    parts = [result["outcome"].replace("_", " ")]
    if result["probability"] is not None:
        parts.append(f"probability {result['probability']:.0%}")
    if result["threshold"] is not None and result["probability"] is not None:
        parts[-1] += f" (threshold {result['threshold']:.0%})"
    parts += [part for part in (result["model"], result["reason"]) if part]
    return ", ".join(parts)


def kinds_of(data: Path, study_key: str, generation: int) -> dict[str, str]:
    """Kinds of a result's objects (sr, montage, …) by SOPInstanceUID, of those still here."""
    from pydicom.errors import InvalidDicomError  # a listing does without
    from pydicom.filereader import read_file_meta_info

    kinds = {}
    for path in (data / "work" / study_key / str(generation)).rglob("*.dcm"):
        with suppress(OSError, InvalidDicomError):  # deleted meanwhile, or damaged
            kinds[str(read_file_meta_info(path).MediaStorageSOPInstanceUID)] = path.stem
    return kinds

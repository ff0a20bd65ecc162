"""What readers said of all results, in one file: for learning from it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode.errors import MsnodeError
from msnode.manage.table_file import write_rows
from msnode.records.feedback import Feedback, standing
from msnode.store.page_tables import verdicts
from msnode.store.reader_feedback import every

COLUMNS = (
    "study", "generation", "number", "kind", "lesion", "reason", "slice", "column", "row",
    "diameter_mm", "x", "y", "z", "note", "takes_back", "stands", "at", "by",
)  # fmt: skip
Row = dict[str, object]


def export_feedback(database: sa.Engine, out: Path) -> int:
    """Write a row for each answer and for each reading that was finished (kind ``finished``).

    Args:
        database: migrated.
        out: CSV, or JSON if it is called so.

    Returns:
        Number of rows.

    Raises:
        MsnodeError: nobody has said anything yet.
    """
    with database.connect() as connection:
        said = every(connection)
        finished = connection.execute(sa.select(verdicts).order_by(verdicts.c.number)).all()
    stands = {one.number for one in standing(said)}
    rows = [*(_row(one, one.number in stands) for one in said), *_finished(finished)]
    if not rows:
        raise MsnodeError("no reader has said anything of a result yet")
    write_rows(rows, COLUMNS, out)
    return len(rows)


def _row(one: Feedback, stands: bool) -> Row:
    """An answer; images and slices are counted from 1, as people do."""
    row = dict.fromkeys(COLUMNS) | {
        "study": one.study_key, "generation": one.generation, "number": one.number,
        "kind": one.kind, "lesion": one.lesion, "reason": one.reason, "note": one.note,
        "takes_back": one.takes_back, "stands": int(stands), "at": _moment(one.given_at),
        "by": one.given_by,
    }  # fmt: skip
    if one.place is None:
        return row
    x, y, z = one.place.ras
    place = {"column": one.place.column, "row": one.place.row, "slice": one.place.slice + 1}
    return row | place | {"diameter_mm": one.place.diameter_mm, "x": x, "y": y, "z": z}


def _finished(rows: Iterable[sa.Row[Any]]) -> Iterator[Row]:
    for row in rows:
        yield dict.fromkeys(COLUMNS) | {
            "study": row.study_key, "generation": row.generation, "number": row.number,
            "kind": "finished", "at": _moment(row.given_at), "by": row.given_by,
        }  # fmt: skip


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")

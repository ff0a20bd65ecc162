"""Clinical events that somebody enters by hand: held to the same rules as those of a file."""

import time
from collections.abc import Mapping
from datetime import date
from functools import partial

import sqlalchemy as sa

from msnode.errors import TryLater
from msnode.store.database import is_away
from msnode.twin.clinical.event_csv import Flaw, RefusedRow, row_of
from msnode.twin.clinical.event_import import take
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import Provenance

SOURCE = "page"


def enter(
    database: sa.Engine, patient_key: str, cells: Mapping[str, str], account: str
) -> tuple[Flaw, ...]:
    """Put an event on record; the same event again adds nothing.

    Args:
        database: migrated.
        patient_key: whose.
        cells: by column of the CSV (`event_csv.COLUMNS`); unit and patient need not be there.
        account: who enters it.

    Returns:
        What is wrong with it; nothing where it is on record now.

    Raises:
        TryLater: the database cannot be used now.
    """
    kind = KINDS.get(cells.get("kind", "").casefold())
    given = {**cells, "patient": patient_key, "unit": kind.unit if kind is not None else ""}
    row = row_of(1, given, lambda *_: patient_key, date.today())
    if isinstance(row, RefusedRow):
        return row.flaws
    origin = partial(Provenance, SOURCE, "", imported_at=time.time(), imported_by=account)
    try:
        with database.begin() as connection:
            _, refused = take(connection, [row], account, origin, lambda _: None)
    except sa.exc.SQLAlchemyError as error:
        if is_away(error):
            raise TryLater("the database cannot be used now: try again later") from error
        raise
    return tuple(flaw for one in refused for flaw in one.flaws)

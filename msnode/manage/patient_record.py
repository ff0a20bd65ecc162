"""A patient's record, for a command or a page."""

from dataclasses import dataclass

import sqlalchemy as sa

from msnode.errors import MsnodeError
from msnode.manage.disputed import Disputed, disputed
from msnode.store.patients import ID_DIGITS, is_ambiguous, keys_of
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.clinical.events import Recorded
from msnode.twin.history import Entry, Twin


@dataclass(frozen=True, slots=True)
class Record:
    """What is on record of a patient.

    Attributes:
        key: of the patient, as asked for.
        events: in the order in which they came.
        entries: results of all generations of all studies.
        merged: how many other IDs are this patient's.
        is_ambiguous: whether the ID is known from several issuers, and was asked for without one:
            what is on record of these is not told.
        disputed: studies of which readers hold otherwise; entries and events know nothing of it.
    """

    key: str
    events: list[Recorded]
    entries: list[Entry]
    merged: int
    is_ambiguous: bool
    disputed: list[Disputed]


def record_under(database: sa.Engine, key: str) -> Record:
    """A patient's record.

    Args:
        database: migrated.
        key: see `store.patients`.
    """
    entries = Twin(database).history(key)
    with database.connect() as connection:
        several = is_ambiguous(connection, key)
        events = of_patient(connection, key)
        ids = {one[:ID_DIGITS] for one in keys_of(connection, key)}
        otherwise = disputed(connection, entries)
    return Record(key, events, entries, len(ids) - 1, several, otherwise)


def check_unambiguous(connection: sa.Connection, key: str) -> None:
    """Refuse an ID without its issuer where several are known.

    Raises:
        MsnodeError: so it is.
    """
    if is_ambiguous(connection, key):
        raise several_issuers()


def several_issuers() -> MsnodeError:
    """That an ID without its issuer says too little."""
    return MsnodeError("this ID is known from several issuers: name one with --issuer")

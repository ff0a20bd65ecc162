"""A patient's record as the commands of `msnode twin` find it."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from msnode import audit, config
from msnode.errors import MsnodeError
from msnode.store.database import open_database
from msnode.store.patients import ID_DIGITS, is_ambiguous, keys_of, patient_key, patient_secret
from msnode.store.schema import migrate
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
    """

    key: str
    events: list[Recorded]
    entries: list[Entry]
    merged: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What a command works with.

    Attributes:
        database: brought up to date.
        secret: of the patients' keys.
        trail: hears who used whose record.
    """

    database: sa.Engine
    secret: bytes
    trail: audit.Trail


@contextmanager
def opened(settings: config.Config) -> Iterator[Opened]:
    """The node's database, secret and an audit trail of one's own."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    try:
        migrate(database)
        trail = audit.open_trail(settings, "twin")
        try:
            yield Opened(database, patient_secret(settings.data / "patient.key"), trail)
        finally:
            trail.close()
    finally:
        database.dispose()


def account() -> str:
    """Who runs this; a container may have no name for its user."""
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())


def record_of(node: Opened, patient: str, issuer: str) -> Record:
    """A patient's record; the audit trail hears that it was read.

    Raises:
        MsnodeError: there is nobody of this ID, or there are several.
    """
    key = patient_key(node.secret, patient.strip(), issuer.strip())
    with node.database.connect() as connection:
        check_unambiguous(connection, key)
        events = of_patient(connection, key)
        ids = {one[:ID_DIGITS] for one in keys_of(connection, key)}
    entries = Twin(node.database).history(key)
    if not events and not entries:
        raise MsnodeError("nothing is on record of this patient")
    node.trail.patient_record(account(), audit.Access.READ, patient.strip())
    return Record(key, events, entries, len(ids) - 1)


def check_unambiguous(connection: sa.Connection, key: str) -> None:
    """Refuse an ID without its issuer where several are known.

    Raises:
        MsnodeError: so it is.
    """
    if is_ambiguous(connection, key):
        raise MsnodeError("this ID is known from several issuers: name one with --issuer")

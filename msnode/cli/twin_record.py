"""A patient's record as the commands of `msnode twin` find it."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from msnode import audit, config
from msnode.errors import MsnodeError
from msnode.manage.audited_database import with_trail
from msnode.manage.patient_record import Record, record_under, several_issuers
from msnode.store.patients import patient_key, patient_secret


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
    with with_trail(settings, "twin") as (database, trail):
        yield Opened(database, patient_secret(settings.data / "patient.key"), trail)


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
    record = record_under(node.database, key)
    if record.is_ambiguous:
        raise several_issuers()
    if not record.events and not record.entries:
        raise MsnodeError("nothing is on record of this patient")
    node.trail.patient_record(account(), audit.Access.READ, patient.strip())
    return record

"""What `msnode twin merge` does and prints."""

from dataclasses import dataclass
from pathlib import Path

import click
import sqlalchemy as sa

from msnode import audit, config
from msnode.cli.twin_record import Opened, account, opened
from msnode.errors import MsnodeError
from msnode.manage.patient_record import check_unambiguous
from msnode.store.database import studies
from msnode.store.merges import merge, undo
from msnode.store.patients import keys_of, patient_key
from msnode.twin.clinical import event_store


@dataclass(frozen=True, slots=True)
class Named:
    """A patient as the command line names one.

    Attributes:
        patient: PatientID.
        issuer: IssuerOfPatientID, "" where it is not known.
    """

    patient: str
    issuer: str


def merge_patients(config_file: Path, old: Named, into: Named, *, takes_back: bool) -> None:
    """Make two IDs one patient, or two again, and say what is on record of each.

    Raises:
        MsnodeError: nothing is on record of either; or see `merges.merge` and `merges.undo`.
    """
    with opened(config.load(config_file)) as node:
        keys = [patient_key(node.secret, one.patient.strip(), one.issuer.strip())
                for one in (old, into)]  # fmt: skip
        who = account()
        with node.database.begin() as connection:
            if takes_back:
                undo(connection, keys[0], keys[1], who)
                found = [_on_record(connection, key) for key in keys]
            else:
                found = _checked(connection, keys)
                merge(connection, keys[0], keys[1], who)
        _heard(node, who, old, into)
    verb = "are two patients again" if takes_back else "are one patient now"
    click.echo(f"{verb}: the first with {found[0]}, the second with {found[1]}")


def _checked(connection: sa.Connection, keys: list[str]) -> list[str]:
    """What is on record of each, unless these cannot be merged."""
    if "" in keys:
        raise MsnodeError("give two PatientIDs")
    for key in keys:
        check_unambiguous(connection, key)
    found = [_on_record(connection, key) for key in keys]
    if set(found) == {NOTHING}:
        raise MsnodeError("nothing is on record of either of them")
    return found


NOTHING = "0 event(s), 0 study(ies)"


def _on_record(connection: sa.Connection, key: str) -> str:
    keys = keys_of(connection, key)
    query = sa.select(sa.func.count()).where(studies.c.patient_key.in_(keys))
    events, images = event_store.number(connection, keys), connection.scalar(query)
    return f"{events} event(s), {images} study(ies)"


def _heard(node: Opened, who: str, *changed: Named) -> None:
    for one in changed:
        node.trail.patient_record(who, audit.Access.UPDATED, one.patient.strip())

"""Who a patient is, as far as a hash tells: the one definition of "the same patient".

A key is made of PatientID and IssuerOfPatientID with a secret that is in no database: 32 hex digits
of the ID, 16 more if the issuer is known, "" without an ID. So of two keys of one patient, one is
a prefix of the other, also when some images lack the issuer (PS3.3 C.7.1.1), as derived objects
often do.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from msnode.store.database import clinical_events, studies
from msnode.store.files import fsync

ID_DIGITS = 32
"""Hex digits of a key that stand for the PatientID; those of the issuer follow."""


def patient_key(secret: bytes, patient_id: str, issuer: str) -> str:
    """Keyed hash of who the patient is; "" where there is no ID."""
    if not patient_id:
        return ""
    key = _keyed(secret, patient_id)[:ID_DIGITS]
    return key + _keyed(secret, f"{patient_id}\\{issuer}")[:16] if issuer else key


def _keyed(secret: bytes, value: str) -> str:
    return hmac.new(secret, value.encode(), hashlib.sha256).hexdigest()


def contradict(one: str, other: str) -> bool:
    """Whether two keys cannot be of one person; a missing ID or issuer contradicts nothing."""
    return not (one.startswith(other) or other.startswith(one))


def same_patient(key: str, known: Iterable[str]) -> frozenset[str]:
    """Which of the known keys are this patient's: the IDs agree, and nothing contradicts.

    An ID without its issuer is the patient's whose issuer is known, unless the same ID is known
    from two issuers: then it may be either's, and is joined with neither.
    """
    if not key:
        return frozenset()
    of_id = {other for other in known if other[:ID_DIGITS] == key[:ID_DIGITS]} | {key}
    whole = {other for other in of_id if len(other) > ID_DIGITS}
    if len(whole) > 1:
        return frozenset({key})
    return frozenset(of_id)


def of_same_id(column: sa.ColumnElement[str], key: str) -> sa.ColumnElement[bool]:
    """The rows among whose keys `same_patient` is to choose, by an index on the column."""
    first = key[:ID_DIGITS]
    return sa.and_(column >= first, column < first + "g")  # the digits end at f


def keys_of(connection: sa.Connection, key: str) -> list[str]:
    """All keys that are this patient's, known by a study or by a clinical event."""
    return sorted(same_patient(key, known_keys(connection, key)))


def known_keys(connection: sa.Connection, key: str) -> set[str]:
    """Keys of the same ID on record, of any issuer; none where there is no ID."""
    known: set[str] = set()
    for table in (studies, clinical_events):
        column = table.c.patient_key
        query = sa.select(column).where(of_same_id(column, key)).distinct()
        known.update(connection.scalars(query) if key else ())
    return known


def patient_secret(path: Path) -> bytes:
    """The key of the patient hashes: 32 random bytes, made once, never in the database."""
    with contextlib.suppress(FileExistsError):
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # unlike rename, it never replaces a key already in use
        finally:
            fresh.unlink()
        fsync(path.parent)
    return path.read_bytes()

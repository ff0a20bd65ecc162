"""Who a patient is, as far as a hash tells: the one definition of "the same patient".

A key is made of PatientID and IssuerOfPatientID with a secret that is in no database: 32 hex digits
of the ID, 16 more if the issuer is known, "" without an ID. So of two keys of one patient, one is
a prefix of the other, also when some images lack the issuer (PS3.3 C.7.1.1), as derived objects
often do. Keys that a person has merged (`store.merges`) are of one patient, too.
"""

import contextlib
import hmac
import os
import secrets
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import sqlalchemy as sa

from msnode.store.database import clinical_events, patient_merges, prior_studies, studies
from msnode.store.files import fsync

ID_DIGITS = 32
"""Hex digits of a key that stand for the PatientID; those of the issuer follow."""


def patient_key(secret: bytes, patient_id: str, issuer: str) -> str:
    """Keyed hash of who the patient is; "" where there is no ID."""
    if not patient_id:
        return ""
    key = _keyed(secret, patient_id)[:ID_DIGITS]
    return key + _keyed(secret, f"{patient_id}\\{issuer}")[:16] if issuer else key


def accession_key(secret: bytes, number: str) -> str:
    """Keyed hash of an AccessionNumber (PS3.3 C.4.12): an order's, and a study's; "" for none."""
    return _keyed(secret, f"accession\\{number.strip()}")[:32] if number.strip() else ""


def reader_key(secret: bytes, name: str) -> str:
    """Pseudonym of somebody who judged a result: keyed hash of the name; "" for none."""
    plain = " ".join(name.split()).casefold()
    return _keyed(secret, f"reader\\{plain}")[:16] if plain else ""


def index_key(secret: bytes, person: str) -> str:
    """Pseudonym of a patient in data that leave the node; no key that is in the database."""
    return _keyed(secret, f"index\\{person}")[:16]


def _keyed(secret: bytes, value: str) -> str:
    return hmac.digest(secret, value.encode(), "sha256").hex()


def contradict(one: str, other: str) -> bool:
    """Whether two keys cannot be of one person; a missing ID or issuer contradicts nothing."""
    return not (one.startswith(other) or other.startswith(one))


def same_patient(
    key: str, known: Iterable[str], merges: Iterable[tuple[str, str]] = ()
) -> frozenset[str]:
    """Which of the known keys are this patient's: the IDs agree, and nothing contradicts.

    An ID without its issuer is the patient's whose issuer is known, unless the same ID is known
    from two issuers that were not merged: then it may be either's, and is joined with neither.

    Args:
        key: of the patient.
        known: keys on record, also of others.
        merges: pairs of keys of one person each, in any order; their keys count as known.
    """
    if not key:
        return frozenset()
    pairs = list(merges)
    groups = {one: frozenset({one}) for one in {key, *known, *chain(*pairs)} if one}
    for one, other in pairs:
        _join(groups, one, other)
    joined = True
    while joined:  # a join may bring the issuers of another ID together
        joined = any(_join_bare(groups, bare) for bare in groups if len(bare) == ID_DIGITS)
    return groups[key]


def _join(groups: dict[str, frozenset[str]], one: str, other: str) -> bool:
    """Make two keys one patient's; returns whether they were not yet."""
    if other in groups[one]:
        return False
    group = groups[one] | groups[other]
    groups.update(dict.fromkeys(group, group))
    return True


def _join_bare(groups: dict[str, frozenset[str]], bare: str) -> bool:
    """Join an ID without its issuer to that ID's only patient, if there is one."""
    whole = [key for key in groups if key.startswith(bare) and key != bare]
    if not whole or not groups[whole[0]].issuperset(whole):
        return False
    return _join(groups, bare, whole[0])


def of_same_id(column: sa.ColumnElement[str], key: str) -> sa.ColumnElement[bool]:
    """The rows among whose keys `same_patient` is to choose, by an index on the column."""
    first = key[:ID_DIGITS]
    return sa.and_(column >= first, column < first + "g")  # the digits end at f


def keys_of(connection: sa.Connection, key: str) -> list[str]:
    """All keys that are this patient's, known by a study, sent or fetched, an event or a merge."""
    pairs = merged_pairs(connection)
    known = known_keys(connection, key)
    waiting, seen = [key], {key[:ID_DIGITS]}
    while waiting:
        here = waiting.pop()[:ID_DIGITS]
        for other in chain(*(pair for pair in pairs if here in {one[:ID_DIGITS] for one in pair})):
            if other[:ID_DIGITS] not in seen:
                seen.add(other[:ID_DIGITS])
                known |= known_keys(connection, other)
                waiting.append(other)
    mine = [pair for pair in pairs if pair[0][:ID_DIGITS] in seen]
    return sorted(same_patient(key, known, mine))


def are_one(connection: sa.Connection, one: str, other: str) -> bool:
    """Whether two keys are of one patient; either may be new to the record."""
    return not set(keys_of(connection, one)).isdisjoint(keys_of(connection, other))


def is_on_record(connection: sa.Connection, key: str) -> bool:
    """Whether there is a study, sent or fetched, or a clinical event of this patient."""
    keys = keys_of(connection, key)
    known = (
        sa.select(table.c.patient_key).where(table.c.patient_key.in_(keys)).limit(1)
        for table in (studies, clinical_events, prior_studies)
    )
    return any(connection.scalar(query) is not None for query in known)


def is_ambiguous(connection: sa.Connection, key: str) -> bool:
    """Whether this is an ID without its issuer, and several patients of that ID are known."""
    if len(key) != ID_DIGITS:
        return False
    whole = {one for one in known_keys(connection, key) if len(one) > ID_DIGITS}
    return not {key, *whole}.issubset(keys_of(connection, key))


def merged_pairs(connection: sa.Connection) -> list[tuple[str, str]]:
    """The pairs of keys that were merged and not taken apart again."""
    columns = patient_merges.c
    query = sa.select(columns.old_key, columns.into_key, columns.undone).order_by(columns.number)
    newest = {
        frozenset({old, into}): (old, into, undone)
        for old, into, undone in connection.execute(query)
    }
    return [(old, into) for old, into, undone in newest.values() if not undone]


def known_keys(connection: sa.Connection, key: str) -> set[str]:
    """Keys of the same ID on record, of any issuer; none where there is no ID."""
    known: set[str] = set()
    for table in (studies, clinical_events, prior_studies):
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

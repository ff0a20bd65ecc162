"""Takes a file of clinical events into the record, so that it can be stopped and repeated."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from msnode.errors import TryLater
from msnode.records.sentences import Sentence
from msnode.store.database import is_away
from msnode.store.merges import merge, was_undone
from msnode.store.patients import ID_DIGITS, are_one, is_ambiguous, patient_key
from msnode.twin.clinical.event_csv import Flaw, KeyOf, RefusedRow, Row, read
from msnode.twin.clinical.event_fhir import read_bundle
from msnode.twin.clinical.event_hl7 import MergeRow, read_messages
from msnode.twin.clinical.event_store import add, birth_years
from msnode.twin.clinical.events import FED, Provenance, Recorded
from msnode.twin.clinical.feed_versions import with_versions
from msnode.twin.clinical.fhir_feed import Vanished

log = logging.getLogger(__name__)

BATCH = 2000
"""Rows of a transaction: long enough that its fsync costs little, short enough that a running node
waits some 0.1 s at most for the database."""
Read = Row | RefusedRow | MergeRow
Hear = Callable[[MergeRow], None]
First = Callable[[sa.Connection], None]
Reader = Callable[[Path, KeyOf, date], Iterator[Read]]
READERS: dict[str, tuple[str, Reader, str]] = {
    ".json": ("fhir", read_bundle, "entry"),
    ".hl7": ("hl7", read_messages, "message"),
}
"""By suffix: see `reader_of`."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        added: are on record now.
        known: were on record before, or stood in the file twice.
        refused: are not.
        vanished: lines that took back what they had told before.
    """

    added: int = 0
    known: int = 0
    refused: int = 0
    vanished: frozenset[int] = frozenset()

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(
            self.added + other.added, self.known + other.known, self.refused + other.refused,
            self.vanished | other.vanished,
        )  # fmt: skip


def import_events(
    database: sa.Engine,
    secret: bytes,
    path: Path,
    account: str,
    refuse: Callable[[RefusedRow], None],
    heard: Callable[[MergeRow], None],
) -> Imported:
    """Add the events of a file; whatever stops it, the same file again adds the rest.

    Args:
        database: migrated.
        secret: see `patients.patient_secret`.
        path: NAME.json is a Bundle (`event_fhir.read_bundle`), NAME.hl7 messages
            (`event_hl7.read_messages`), else CSV (`event_csv.read`).
        account: who imports.
        refuse: hears of each row that is left out, in the order of the file within a batch.
        heard: hears of each two IDs that have become one patient.

    Raises:
        Refused: it is no such file.
        TryLater: the database cannot be used now; what was added stays.
        OSError: the file cannot be read.
    """
    key_of = lru_cache(maxsize=4096)(partial(patient_key, secret))
    source, reader, _ = reader_of(path)
    rows = reader(path, key_of, date.today())
    origin = partial(Provenance, source, path.name, imported_at=time.time(), imported_by=account)
    total = Imported()
    while batch := list(islice(rows, BATCH)):
        total += _add(database, batch, account, origin, refuse, heard)
    log.info("events imported added=%d known=%d refused=%d", total.added, total.known,
             total.refused)  # fmt: skip
    return total


def import_told(
    database: sa.Engine,
    rows: Iterable[Read],
    origin: Callable[..., Provenance],
    heard: Hear,
    *,
    whole: bool,
    first: First = lambda _: None,
) -> tuple[Imported, list[RefusedRow]]:
    """Add what another system told, for good once this returns; the same again adds nothing.

    Args:
        database: migrated.
        rows: what it told.
        origin: makes the provenance of a line.
        heard: hears of each two IDs that have become one patient.
        whole: one row that is refused keeps out all others.
        first: comes first in each transaction; what it raises keeps the rows out.

    Returns:
        What became of the rows, and those that are refused.

    Raises:
        TryLater: the database cannot be used now.
    """
    waiting, total = iter(rows), Imported()
    refused: list[RefusedRow] = []
    account = origin(line=0).imported_by
    while batch := list(islice(waiting, None if whole else BATCH)):
        try:
            total += _add(
                database, batch, account, origin, refused.append, heard, first, whole=whole
            )
        except _KeptOut as kept:
            return Imported(refused=len(batch)), kept.rows
    return total, refused


class _KeptOut(Exception):
    """Rows of which one is refused are taken back."""

    def __init__(self, rows: list[RefusedRow]) -> None:
        super().__init__()
        self.rows = rows


def reader_of(path: Path) -> tuple[str, Reader, str]:
    """By a file's name: the source that goes on record, its reader, and what it calls a part."""
    return READERS.get(path.suffix.lower(), ("csv", read, "line"))


def _add(
    database: sa.Engine,
    batch: list[Read],
    account: str,
    origin: Callable[..., Provenance],
    refuse: Callable[[RefusedRow], None],
    heard: Hear,
    first: First = lambda _: None,
    *,
    whole: bool = False,
) -> Imported:
    """Add a batch in one transaction."""
    try:
        with database.begin() as connection:
            first(connection)
            done, refused = take(connection, batch, account, origin, heard)
            if whole and refused:
                raise _KeptOut(refused)
    except sa.exc.SQLAlchemyError as error:
        if is_away(error):
            raise TryLater(
                "the database cannot be used now: import the file again later; nothing is doubled"
            ) from error
        raise
    for row in refused:
        refuse(row)
    return done


def take(
    connection: sa.Connection,
    batch: Sequence[Read],
    account: str,
    origin: Callable[..., Provenance],
    heard: Callable[[MergeRow], None],
) -> tuple[Imported, list[RefusedRow]]:
    """Add what rows say, in the caller's transaction.

    Args:
        connection: in a transaction.
        batch: rows and merges.
        account: who says so.
        origin: makes the provenance of a row by its `line`.
        heard: hears of each two IDs that become one patient, before it is so.

    Returns:
        What became of them, and those that are left out.
    """
    checked = list(_after_birth(connection, _with_versions(connection, batch, origin)))
    good = [row for row in checked if isinstance(row, Row)]
    added = add(
        connection, (Recorded(row.patient_key, row.event, origin(line=row.line)) for row in good)
    )
    checked = list(_mergeable(connection, checked))  # now that all IDs are known
    pairs = (row for row in checked if isinstance(row, MergeRow))
    merged = [pair for pair in pairs if _merged(connection, pair, account)]
    for pair in merged:  # before it is so: a merge that nobody heard of must not be
        heard(pair)
    refused = [row for row in checked if isinstance(row, RefusedRow)]
    taken = added + len(merged)
    vanished = frozenset(row.line for row in checked if isinstance(row, Vanished))
    return Imported(taken, len(checked) - len(refused) - taken, len(refused), vanished), refused


def _with_versions(
    connection: sa.Connection, batch: Sequence[Read], origin: Callable[..., Provenance]
) -> Sequence[Read]:
    """The batch with what resources of other systems mean for what is on record."""
    fed = [one for one in batch if isinstance(one, Row) and _is_fed(one)]
    if not fed:
        return batch
    counted = with_versions(connection, fed, lambda line: origin(line=line).file)
    return [*(one for one in batch if not _is_fed(one)), *counted]


def _is_fed(one: Read) -> bool:
    return isinstance(one, Row) and one.event.replaces.startswith(FED)


def _merged(connection: sa.Connection, pair: MergeRow, account: str) -> bool:
    """Make two IDs one patient; returns whether they were not yet."""
    if are_one(connection, pair.old_key, pair.into_key):
        return False
    merge(connection, pair.old_key, pair.into_key, account)
    return True


def _mergeable(connection: sa.Connection, batch: Iterable[Read]) -> Iterator[Read]:
    """Refuse a merge of an ID that may be of several patients, or that somebody took back."""
    for one in batch:
        keys = (one.old_key, one.into_key) if isinstance(one, MergeRow) else ()
        if any(is_ambiguous(connection, key) for key in keys):
            yield RefusedRow(one.line, (Flaw("", Sentence("fix_issuers")),))
        elif keys and was_undone(connection, *keys):
            fix = Sentence("fix_undone")
            yield RefusedRow(one.line, (Flaw("", fix),))
        else:
            yield one


def _after_birth(connection: sa.Connection, batch: Sequence[Read]) -> Iterator[Read]:
    """Refuse what is dated before the patient's birth, as far as the record or the batch has it.

    A year of birth that comes in later is compared when the state is computed.
    """
    rows = [row for row in batch if isinstance(row, Row)]
    years = birth_years(connection, {row.patient_key for row in rows})
    for row in rows:
        if row.event.kind == "birth_year":
            year = int(row.event.value)
            years[row.patient_key] = min(year, years.get(row.patient_key, year))
    for one in batch:
        if isinstance(one, Row) and _is_before_birth(one, years):
            yield RefusedRow(one.line, (Flaw("date", Sentence("fix_birth")),))
        else:
            yield one


def _is_before_birth(row: Row, years: dict[str, int]) -> bool:
    """Whether no year of birth on record allows for the event's date."""
    keys = {row.patient_key, row.patient_key[:ID_DIGITS]}
    known = [years[key] for key in keys if key in years]
    return bool(known) and row.event.day is not None and row.event.day.year < min(known)

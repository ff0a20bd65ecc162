"""Studies and what became of them, found by what their images say, without labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode.manage.header_words import header_of
from msnode.manage.outcomes import result_of
from msnode.records.receipt import Receipt
from msnode.store.database import instances, studies
from msnode.store.patients import keys_of, known_keys, of_same_id, patient_key, patient_secret
from msnode.store.receipts import Receipts

HEADER = ("PatientName", "PatientID", "StudyDate", "AccessionNumber")


@dataclass(frozen=True)
class Wanted:
    """Which studies to list; None for any.

    Attributes:
        date: StudyDate, YYYYMMDD or YYYY-MM-DD.
        limit: the newest so many that fit.
    """

    patient: str | None = None
    accession: str | None = None
    date: str | None = None
    limit: int = 50

    def fits(self, header: dict[str, str]) -> bool:
        """Whether a study's header has what is asked for."""
        date = self.date.replace("-", "") if self.date else None
        asked = (("AccessionNumber", self.accession), ("StudyDate", date))
        return all(value is None or header.get(name) == value for name, value in asked)


@dataclass(frozen=True)
class Listed:
    """A study as it is listed.

    Attributes:
        key: as in logs and job IDs.
        header: what its images say of patient and study, as far as one can be read.
        result: see `outcomes.result_of`; of the newest generation.
        destinations: what became of the result, in a word, by destination.
    """

    key: str
    study_instance_uid: str
    state: str
    generation: int
    images: int
    last_at: float
    header: dict[str, str]
    result: dict[str, Any] | None
    destinations: dict[str, str]


def _is_of(database: sa.Engine, data: Path, patient: str) -> sa.ColumnElement[bool]:
    """Studies of a PatientID, of any issuer, and of those that were merged with it."""
    key = patient_key(patient_secret(data / "patient.key"), patient, "")
    column = studies.c.patient_key
    with database.connect() as connection:
        keys = {mine for one in {key, *known_keys(connection, key)}
                for mine in keys_of(connection, one)}  # fmt: skip
    return sa.or_(of_same_id(column, key), column.in_(keys))


def found(database: sa.Engine, data: Path, wanted: Wanted) -> list[Listed]:
    """The studies that fit, newest first."""
    query = sa.select(studies).order_by(studies.c.last_at.desc())
    if wanted.patient is not None:
        query = query.where(_is_of(database, data, wanted.patient))
    with database.connect() as connection:
        rows = connection.execute(query).all()
    fitting: list[Listed] = []
    for row in rows:
        if len(fitting) == wanted.limit:
            break  # reading the headers of all others would be for nothing
        header = _header(database, data, row.study_key)
        if wanted.fits(header):
            fitting.append(_listed(database, row, header))
    return fitting


def _listed(database: sa.Engine, row: sa.Row[Any], header: dict[str, str]) -> Listed:
    receipts = Receipts(database)
    newest = receipts.newest(row.study_key)
    count = sa.select(sa.func.count()).where(instances.c.study_key == row.study_key)
    with database.connect() as connection:
        images = connection.scalar(count) or 0
    return Listed(
        row.study_key,
        row.study_instance_uid,
        row.state,
        row.generation,
        images,
        row.last_at,
        header,
        result_of(database, row.study_key, newest) if newest else None,
        dict(went(receipts.of(row.study_key, newest))),
    )


def _header(database: sa.Engine, data: Path, study_key: str) -> dict[str, str]:
    """Patient and study by an image of it; nothing where none is left, or none may be read."""
    query = sa.select(instances.c.path).where(instances.c.study_key == study_key).limit(1)
    with database.connect() as connection:
        path = connection.scalar(query)
    said = None if path is None else header_of(data / path)
    return {} if said is None else {name: said[name] for name in HEADER}


def went(receipts: Sequence[Receipt]) -> Iterator[tuple[str, str]]:
    """Destination and what became of the result there."""
    for name in dict.fromkeys(receipt.destination for receipt in receipts):
        yield name, fate([receipt for receipt in receipts if receipt.destination == name])


def fate(receipts: Sequence[Receipt]) -> str:
    """What became of a result at one destination, by the receipts of its objects there."""
    if all(receipt.delivered for receipt in receipts):
        return "delivered"
    if all(receipt.superseded for receipt in receipts):
        return "superseded"
    if all(receipt.delivered or receipt.sent for receipt in receipts):
        return "sent"
    return "waiting" if any(receipt.retry for receipt in receipts) else "refused"

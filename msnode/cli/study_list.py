"""What `msnode studies` prints: what came, what was said, where it went."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.cli.jobs import opened, when
from msnode.cli.outcomes import result_of
from msnode.records.receipt import Receipt
from msnode.store.database import instances, studies
from msnode.store.patients import keys_of, known_keys, of_same_id, patient_key, patient_secret
from msnode.store.receipts import Receipts

COLOURS = {"present": "red", "absent": "green", "undetermined": "yellow"}
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


def show(config_file: Path, wanted: Wanted, *, as_json: bool) -> None:
    """List studies, newest first."""
    settings = config.load(config_file)
    found = _found(opened(settings), settings.data, wanted)
    if as_json:
        click.echo(json.dumps([asdict(study) for study in found], indent=1))
        return
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("study", no_wrap=True)  # it is there to be copied
    for name in ("came", "patient, study", "result", "where it went"):
        table.add_column(name, overflow="fold")
    for study in found:
        cells = _of_patient(study.header), _of_result(study), _where(study)
        table.add_row(study.key, when(study.last_at), *("\n".join(cell) for cell in cells))
    Console().print(table if found else "no such study")


def _of_patient(header: dict[str, str]) -> list[str]:
    """Who it is of, when it was made, by which order; nothing where no image says so."""
    date = header.get("StudyDate", "")
    made = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else date
    order = " ".join(filter(None, (made, header.get("AccessionNumber"))))
    lines = header.get("PatientID"), header.get("PatientName"), order
    return [escape(line) for line in lines if line]


def _of_result(study: Listed) -> list[str]:
    """What was said, of how many images, and what is under way."""
    lines = [f"[dim]{study.images} images[/]"]
    if study.result is not None:
        outcome, chance = study.result["outcome"], study.result["probability"]
        number = "" if chance is None else f" {chance:.0%}"
        colour = COLOURS.get(outcome, "magenta")
        lines.insert(0, f"[{colour}]{outcome.replace('_', ' ')}[/]{number}")
    if study.state != "done":
        lines.append(f"[cyan]{study.state}[/]")
    return lines


def _where(study: Listed) -> list[str]:
    """A line for each destination."""
    return [escape(f"{name} {word}") for name, word in study.destinations.items()]


def _is_of(database: sa.Engine, data: Path, patient: str) -> sa.ColumnElement[bool]:
    """Studies of a PatientID, of any issuer, and of those that were merged with it."""
    key = patient_key(patient_secret(data / "patient.key"), patient, "")
    column = studies.c.patient_key
    with database.connect() as connection:
        keys = {mine for one in {key, *known_keys(connection, key)}
                for mine in keys_of(connection, one)}  # fmt: skip
    return sa.or_(of_same_id(column, key), column.in_(keys))


def _found(database: sa.Engine, data: Path, wanted: Wanted) -> list[Listed]:
    """The studies that fit, newest first."""
    query = sa.select(studies).order_by(studies.c.last_at.desc())
    if wanted.patient is not None:
        query = query.where(_is_of(database, data, wanted.patient))
    with database.connect() as connection:
        rows = connection.execute(query).all()
    found: list[Listed] = []
    for row in rows:
        if len(found) == wanted.limit:
            break  # reading the headers of all others would be for nothing
        header = _header(database, data, row.study_key)
        if wanted.fits(header):
            found.append(_listed(database, row, header))
    return found


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
        dict(_went(receipts.of(row.study_key, newest))),
    )


def _header(database: sa.Engine, data: Path, study_key: str) -> dict[str, str]:
    """Patient and study by an image of it; nothing where none is left, or none may be read."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    query = sa.select(instances.c.path).where(instances.c.study_key == study_key).limit(1)
    with database.connect() as connection:
        path = connection.scalar(query)
    try:
        if path is None:
            return {}
        image = dcmread(data / path, stop_before_pixels=True, specific_tags=list(HEADER))
        return {name: str(image.get(name, "")) for name in HEADER}
    except (OSError, InvalidDicomError, RecursionError):
        return {}


def _went(receipts: tuple[Receipt, ...]) -> Iterator[tuple[str, str]]:
    """Destination and what became of the result there."""
    for name in dict.fromkeys(receipt.destination for receipt in receipts):
        mine = [receipt for receipt in receipts if receipt.destination == name]
        if all(receipt.delivered for receipt in mine):
            yield name, "delivered"
        elif all(receipt.superseded for receipt in mine):
            yield name, "superseded"
        elif all(receipt.delivered or receipt.sent for receipt in mine):
            yield name, "sent"
        else:
            yield name, "waiting" if any(receipt.retry for receipt in mine) else "refused"

"""What `msnode twin similar` prints: who once was as a patient is, and what became of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from msnode import config
from msnode.cli.twin_record import opened, record_of
from msnode.manage.similar_patients import Similar, similar_to
from msnode.store.patients import keys_of
from msnode.twin.clinical.course import course
from msnode.twin.patient_state import imaging
from msnode.twin.similar.features import Distance, Features
from msnode.twin.similar.nearest import Match
from msnode.twin.similar.published import Person


def similar(config_file: Path, patient: str, issuer: str, *, as_json: bool) -> None:
    """Print who is like a patient.

    Raises:
        MsnodeError: see `record_of`.
    """
    settings = config.load(config_file)
    with opened(settings) as node:
        record = record_of(node, patient, issuer)
        events = (one.event for one in record.events)
        found = course(events, imaging(record.entries), date.today())[0]
        with node.database.connect() as connection:
            keys = keys_of(connection, record.key)
        told = similar_to(node.database, keys, found)
    if as_json:
        click.echo(json.dumps(asdict(told), default=str))
        return
    console = Console()
    for line in _lines(told):
        console.print(line)
    console.print(_own(told.own.matches), _published(told.published))


def _lines(told: Similar) -> Iterable[str]:
    """What is compared, and the place in the cohort."""
    yield "[bold]compared by[/] " + _features(told.known)
    where = told.place
    if where is None:
        yield "[bold]load among others[/] unknown: wanted are a load and the year of birth"
    else:
        sex = {"F": "women", "M": "men", None: "people"}[where.sex]
        yield (
            f"[bold]load among others[/] centile {where.low:.0f} to {where.high:.0f} of "
            f"{where.number} {sex} with MS, at most {where.years} years older or younger, of one "
            "scanner; a range, as their scale is uncertain"
        )
    yield (
        f"{told.own.patients} other patients here and {told.published_number} published people "
        "could be compared; distance 0 is alike, 1 a standard deviation in each feature. So few "
        "of each are shown that they tell what can be, not how often it is"
    )


def _features(known: Features) -> str:
    numbers = {
        "age": known.age,
        "years since onset": known.duration,
        "ml": known.load,
        "new lesions a year": known.activity,
        "EDSS": known.edss,
    }
    told = {name: None if one is None else f"{one:.1f}" for name, one in numbers.items()}
    every = {"sex": known.sex} | told
    return ", ".join(f"{name} {one or 'unknown'}" for name, one in every.items())


def _own(found: Iterable[Match]) -> Table:
    title = "patients of this node, on the day of a scan on which they were nearest, and since then"
    table = Table(box=SIMPLE, pad_edge=False, title=title, title_justify="left")
    for name in ("patient", "day", "distance", "by", "years since", "new lesions", "ml", "EDSS"):
        table.add_column(name, overflow="fold")
    for one in found:
        became = one.became
        new = "unknown"
        if became.new_lesions is not None:
            new = f"{became.new_lesions} in {became.compared_years:.1f} years"
        table.add_row(
            one.name, str(one.on), f"{one.distance.value:.2f}", ", ".join(one.distance.by),
            f"{became.years:.1f}", new, _change(became.load), _change(became.edss),
        )  # fmt: skip
    return table


def _change(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.1f}"


def _published(found: Iterable[tuple[Person, Distance]]) -> Table:
    title = "published people (Lesjak et al. 2018, CC-BY); what became of them is not known"
    table = Table(box=SIMPLE, pad_edge=False, title=title, title_justify="left")
    for name in ("person", "course", "distance", "by", "what they are"):
        table.add_column(name, overflow="fold")
    for person, apart in found:
        by = ", ".join(apart.by)
        known = person.known
        what = f"{known.age:.0f} {known.sex}, {known.load:.1f} ml"
        edss = "EDSS unknown" if known.edss is None else f"EDSS {known.edss:.1f}"
        table.add_row(person.name, person.course, f"{apart.value:.2f}", by, f"{what}, {edss}")
    return table

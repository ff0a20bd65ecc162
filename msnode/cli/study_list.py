"""What `msnode studies` prints: what came, what was said, where it went."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.cli.jobs import when
from msnode.manage.listed_studies import Listed, Wanted, found
from msnode.manage.node_database import opened

COLOURS = {"present": "red", "absent": "green", "undetermined": "yellow"}


def show(config_file: Path, wanted: Wanted, *, as_json: bool) -> None:
    """List studies, newest first."""
    settings = config.load(config_file)
    listed = found(opened(settings), settings.data, wanted)
    if as_json:
        click.echo(json.dumps([asdict(study) for study in listed], indent=1))
        return
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("study", no_wrap=True)  # it is there to be copied
    for name in ("came", "patient, study", "result", "where it went"):
        table.add_column(name, overflow="fold")
    for study in listed:
        cells = _of_patient(study.header), _of_result(study), _where(study)
        table.add_row(study.key, when(study.last_at), *("\n".join(cell) for cell in cells))
    Console().print(table if listed else "no such study")


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

"""The command line of the digital twin: `msnode twin`."""

from datetime import datetime
from pathlib import Path

import click

from msnode.cli.options import FILE, config_option, json_option, plain_errors

issuer_option = click.option(
    "--issuer", default="", help="IssuerOfPatientID (0010,0021), where the ID has one."
)


@click.group()
def twin() -> None:
    """The patient's record: clinical events by CSV, studies, and what rules say of them."""


@twin.command("import")
@click.argument("file", type=FILE)
@config_option
@plain_errors
def import_(file: Path, config_file: Path) -> None:
    """Add the clinical events of a FILE; the same file again adds nothing (docs/twin.md).

    FILE is a CSV, a FHIR R4 Bundle if its name ends in .json, or HL7 v2 messages (.hl7).

    A row that is wrong is named with its line, column and the fix, and left out; then the exit
    status is 1.
    """
    from msnode.cli import twin_import

    twin_import.import_file(config_file, file)


@twin.command()
@click.argument("patient")
@issuer_option
@config_option
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day that is asked for, YYYY-MM-DD; by default today.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 1000, min_open=True),
    help="Also tell the course with so many new lesions a year.",
)
@click.option(
    "--png",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Gets a picture of the course: scans, relapses, treatments and EDSS on one axis.",
)
@json_option
@plain_errors
def show(
    patient: str,
    issuer: str,
    config_file: Path,
    on: datetime | None,
    rate: float | None,
    png: Path | None,
    as_json: bool,
) -> None:
    """Show a PATIENT: events, studies, each rule with its definition, and what to expect.

    PATIENT is the PatientID.
    """
    from msnode.cli import twin_show

    day = on.date() if on is not None else None
    twin_show.show(config_file, patient, issuer, day, rate, png=png, as_json=as_json)


@twin.command()
@click.argument("patient")
@issuer_option
@config_option
@json_option
@plain_errors
def similar(patient: str, issuer: str, config_file: Path, as_json: bool) -> None:
    """Show who once was as a PATIENT is now, and what became of them; with the load's centile."""
    from msnode.cli import twin_similar

    twin_similar.similar(config_file, patient, issuer, as_json=as_json)


@twin.command()
@click.argument("patient", required=False)
@issuer_option
@config_option
@json_option
@plain_errors
def score(patient: str | None, issuer: str, config_file: Path, as_json: bool) -> None:
    """Show how right predictions were: of a PATIENT, or of all; beside two naive forecasts."""
    from msnode.cli import twin_score

    twin_score.score(config_file, patient, issuer, as_json=as_json)


@twin.command()
@click.argument("patient")
@issuer_option
@config_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="NAME.csv or NAME.fhir.json, which `msnode twin import` takes, or NAME.json with where "
    "each came from.",
)
@plain_errors
def export(patient: str, issuer: str, config_file: Path, out: Path) -> None:
    """Write all clinical events of a PATIENT into a file, corrected ones, too."""
    from msnode.cli import twin_export

    count = twin_export.export(config_file, patient, issuer, out)
    click.echo(f"{count} event(s) are in {out}")


@twin.command()
@click.argument("old")
@click.argument("into")
@issuer_option
@click.option("--into-issuer", default="", help="Likewise, of INTO.")
@click.option("--undo", is_flag=True, help="Take the merge of these two back.")
@config_option
@plain_errors
def merge(
    old: str, into: str, issuer: str, into_issuer: str, undo: bool, config_file: Path
) -> None:
    """Make the PatientIDs OLD and INTO one patient, for studies and events, now and later.

    Nothing on record is changed, so that it can be taken back.
    """
    from msnode.cli import twin_merge

    names = twin_merge.Named(old, issuer), twin_merge.Named(into, into_issuer)
    twin_merge.merge_patients(config_file, *names, takes_back=undo)


@twin.command()
@click.argument("patient")
@issuer_option
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@plain_errors
def forget(patient: str, issuer: str, config_file: Path, yes: bool, dry_run: bool) -> None:
    """Delete all clinical events of a PATIENT; studies stay (`msnode forget` deletes these)."""
    from msnode.cli import delete

    delete.forget_events_of(config_file, patient, issuer, yes=yes, dry_run=dry_run)

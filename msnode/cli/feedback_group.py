"""The command line of what readers say of results: `msnode feedback`."""

from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from msnode.cli.options import FILE, config_option, plain_errors

BY = ("scanner", "sequence", "age", "sex", "month", "model")
"""As in `manage.evidence_cases.By`, which takes NumPy to import."""


@click.group()
def feedback() -> None:
    """What readers say of results, and how right results were (docs/feedback.md)."""


@feedback.command()
@config_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File that gets a row for each answer: NAME.csv or NAME.json.",
)
@plain_errors
def export(config_file: Path, out: Path) -> None:
    """Write what readers said of all results into one file, for learning from it.

    Studies are named by their keys, as in the log; notes and accounts are in it.
    """
    from msnode.cli.twin_record import opened
    from msnode.config import load
    from msnode.manage.feedback_export import export_feedback

    with opened(load(config_file)) as node:
        rows = export_feedback(node.database, out)
    click.echo(f"{rows} rows are in {out}")


@feedback.command("import")
@click.argument("file", type=FILE)
@config_option
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@plain_errors
def import_(file: Path, config_file: Path, dry_run: bool) -> None:
    """Add the verdicts of FILE (CSV: study or accession, verdict, reader, date, diagnosis).

    Bad lines are named with the fix, and the others taken; the same file again adds nothing.
    """
    from msnode.cli.evidence_report import import_file

    import_file(config_file, file, dry_run=dry_run)


@feedback.command()
@config_option
@click.option("--by", type=click.Choice(BY), help="A row for each of these, too.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Results made since that day.")
@click.option("--json", "as_json", is_flag=True, help="One object instead of tables.")
@click.option(
    "--csv",
    "out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that gets a row for each group.",
)
@plain_errors
def report(
    config_file: Path,
    by: str | None,
    since: datetime | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """How right results were: sensitivity, specificity, PPV, Brier score, calibration.

    Each with its 95 % interval over patients; groups of fewer than ten are told by their counts.
    """
    from msnode.cli import evidence_report
    from msnode.manage.evidence_cases import By

    words: dict[str, By] = {one: one for one in get_args(By)}
    day = since.date() if since is not None else None
    evidence_report.report(config_file, words[by or "all"], day, out, as_json=as_json)

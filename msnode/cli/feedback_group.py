"""The command line of what readers say of results: `msnode feedback`."""

from pathlib import Path

import click

from msnode.cli.options import config_option, plain_errors


@click.group()
def feedback() -> None:
    """What readers say of results, by the pages (docs/pages-clinic.md)."""


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

"""Prints the DICOM Conformance Statement."""

from pathlib import Path

import click

from msnode import config as configuration
from msnode.cli.options import plain_errors


@click.command()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Of the node that the statement is of; without it the defaults.",
)  # fmt: skip
@plain_errors
def conformance(config_file: Path | None) -> None:
    """Print the DICOM Conformance Statement (PS3.2) as Markdown."""
    from msnode.cli.statement import statement

    config = configuration.load(config_file) if config_file is not None else configuration.Config()
    origin = " of a configuration" if config_file is not None else ""
    click.echo(statement(config, origin), nl=False)

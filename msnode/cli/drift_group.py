"""The command line of drift: `msnode drift`."""

from pathlib import Path

import click

from msnode.cli.options import FILE, config_option, plain_errors


@click.group()
def drift() -> None:
    """Whether studies or results are other than they were (docs/drift.md)."""


@drift.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One object instead of tables.")
@plain_errors
def report(config_file: Path, as_json: bool) -> None:
    """Compare the last block of studies with the node's own first ones and the training data.

    Exit status: 0 nothing drifts, 1 something does or a scanner is new, 3 not yet known.
    """
    from msnode.cli.drift_report import print_report

    raise SystemExit(print_report(config_file, as_json=as_json))


@drift.command()
@config_option
@click.option("--part", type=click.Choice(["input", "output"]), help="Only of this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def restart(config_file: Path, part: str | None, yes: bool) -> None:
    """Collect the baseline anew, of studies that come from now on.

    For a change that is meant: a new scanner, protocol or network.
    """
    from msnode.cli.drift_report import restart_baseline

    if not yes:
        told = "The baseline is given up; until there is a new one, drift is not known. Go on?"
        click.confirm(told, abort=True)
    restart_baseline(config_file, part)


@drift.command()
@click.argument("index", type=FILE)
@click.option(
    "--bundle",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of the bundle that learned from INDEX; gets reference.json.",
)
@plain_errors
def reference(index: Path, bundle: Path) -> None:
    """Measure the volumes of INDEX (CSV), which a bundle has learned from, and write it there.

    The bundle's digest stays as it is.
    """
    from msnode.cli.drift_reference import write

    write(index, bundle)

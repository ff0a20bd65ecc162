"""The command line of bundles that are compared with the one in force: `msnode shadow`."""

from datetime import datetime
from pathlib import Path

import click

from msnode.cli.options import config_option, plain_errors

OUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def shadow() -> None:
    """Compare other model bundles with the one in force (docs/shadow.md)."""


@shadow.command()
@config_option
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only results since this day: YYYY-MM-DD."
)
@click.option("--json", "form", flag_value="json", help="All of it as one JSON document.")
@click.option("--csv", "form", flag_value="csv", help="A row for each shadow.")
@plain_errors
def report(config_file: Path, since: datetime | None, form: str | None) -> None:
    """Say how far each shadow agrees with the bundle in force, and where they differ."""
    from msnode.cli import shadow_print

    shadow_print.show(config_file, since.timestamp() if since is not None else 0.0, form)


@shadow.command()
@click.argument("name")
@config_option
@click.option("--out", type=OUT, required=True, help="JSON file, for classify.evidence.")
@plain_errors
def evidence(name: str, config_file: Path, out: Path) -> None:
    """Write what was compared with the shadow NAME, as evidence for putting it in force."""
    from msnode.cli import shadow_print

    shadow_print.write_evidence_of(name, config_file, out)


@shadow.command(hidden=True)
@config_option
@click.option("--until-eof", is_flag=True, hidden=True, help="End when stdin does.")
@plain_errors
def work(config_file: Path, until_eof: bool) -> None:
    """Ask the shadows until SIGTERM; `msnode serve` and `msnode work` do it by themselves."""
    from msnode.cli import shadow_process

    shadow_process.run(config_file, until_eof=until_eof)

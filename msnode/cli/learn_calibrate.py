"""`msnode calibrate`, `data exchange`, `data vary`: what lesions say of MS is learned."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from msnode.cli.learn_options import plain_errors, progress_bars
from msnode.cli.options import FILE, FOLDER
from msnode.config import BUNDLE, LESIONS

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.learn.runs.calibrate import Calibrated

NETWORK = click.option(
    "--lesions",
    "network",
    type=FOLDER,
    default=LESIONS,
    help="Bundle of the lesion network.  [default: the one that comes with the program]",
)
POSITIVE = click.option(
    "--positive", default="ms", show_default=True, help="Label of people with MS."
)


@click.command()
@click.argument("index", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Run directory; a killed run goes on.")
@click.option(
    "--bundle",
    type=FOLDER,
    default=BUNDLE,
    help="Bundle of the classifier.  [default: the one that comes with the program]",
)
@NETWORK
@POSITIVE
@click.option(
    "--folds",
    type=FOLDER,
    help="Cross-validation of the lesion network: its persons are outlined by their own fold's.",
)
@click.option(
    "--maps",
    type=FOLDER,
    help="Maps of places (PERSON.nii.gz) for people whose masks are in the program's own.",
)
@click.option(
    "--classifiers",
    type=FILE,
    help="CSV of person and bundle: for whom another classifier is asked, as --bundle has learned"
    " from them.",
)
@plain_errors
def calibrate(
    index: Path,
    out: Path,
    bundle: Path,
    network: Path,
    positive: str,
    folds: Path | None,
    maps: Path | None,
    classifiers: Path | None,
) -> None:
    """Fit how outlined lesions bear on a classifier's decision, on the scans of INDEX (CSV).

    OUT/bundle is the classifier with that rule. Scans with the role train (twins of `msnode data
    exchange`, copies of `msnode data vary`) are fitted to, but not measured.
    """
    from msnode.learn.runs import calibrate as run

    with progress_bars() as progress:
        found = run.calibrate(
            index, out, bundle, network, positive, folds, maps, classifiers, progress
        )
    show(found)


@click.command("exchange")
@click.argument("index", type=FILE)
@click.option(
    "--masks",
    type=FOLDER,
    required=True,
    help="Folder of lesion masks of people with MS in MNI space (NIfTI).",
)
@click.option("--out", type=FOLDER, required=True, help="Gets the scans and index.csv.")
@NETWORK
@POSITIVE
@plain_errors
def exchange(index: Path, masks: Path, out: Path, network: Path, positive: str) -> None:
    """Write twins of the scans of INDEX (CSV): without lesions, and with those of people with MS.

    So lesions, not heads or scanners, tell the classes of `msnode calibrate` apart.
    """
    from msnode import lesions
    from msnode.errors import ConfigError
    from msnode.learn.data import index_csv
    from msnode.learn.runs import lesion_exchange

    files = sorted(masks.glob("*.nii*"))
    if not files:
        raise ConfigError(f"{masks}: holds no NIfTI file; name the folder of the masks")
    bundle, rows = lesions.load(network), index_csv.read(index)
    with progress_bars() as progress:
        made = lesion_exchange.exchange(rows, files, bundle, out.resolve(), positive, progress)
    click.echo(f"{out / 'index.csv'}: {len(rows)} scans and {len(made) - len(rows)} twins")


@click.command("vary")
@click.argument("index", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Gets the scans and index.csv.")
@plain_errors
def vary(index: Path, out: Path) -> None:
    """Write the scans of INDEX (CSV) as others would have made them: noisy, tilted, thick, thin.

    What `msnode calibrate` is fitted to them as well moves less by that.
    """
    from msnode.learn.data import index_csv
    from msnode.learn.runs import scan_looks

    rows = index_csv.read(index)
    with progress_bars() as progress:
        made = scan_looks.vary(rows, out.resolve(), progress)
    click.echo(f"{out / 'index.csv'}: {len(rows)} scans and {len(made) - len(rows)} copies")


def show(found: "Calibrated") -> None:
    """Print what each way of deciding reached."""
    console = Console()
    for title, figures in (
        ("fitted without the person", found.figures),
        ("fitted without the site", found.elsewhere),
    ):
        table = Table("measure", *figures, title=title, title_justify="left")
        for name in next(iter(figures.values())):
            table.add_row(name, *(str(of[name]).replace(" ", "\n") for of in figures.values()))
        console.print(table)
    console.print("[dim]95 % intervals by bootstrap over persons; twins are not measured[/]")
    if found.unplaced:
        console.print(f"[yellow]the atlas does not fit[/] {', '.join(found.unplaced)}")
    console.print(f"bundle and tables are in {found.folder}")

"""The command line of the papers' tables: what will be run, how long it may take, the tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from msnode.cli.learn_options import log_option, plain_errors, progress_bars, settings_of
from msnode.cli.options import FILE, FOLDER
from msnode.cli.plan_help import PlanCommand

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.learn.runs.replicate import Run


@click.command(cls=PlanCommand)
@click.argument("index", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Holds every run; a killed one goes on.")
@click.option(
    "--paper", "papers", multiple=True, type=click.Choice(["hybrid", "shallow", "swin"]),
    help="One paper's table; by default all.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="MODEL", help="A row, e.g. 'hybrid with mix-up'.")
@click.option("--persons", type=click.IntRange(1), help="Less: so many of each label at most.")
@click.option("--slices", type=click.IntRange(1), help="Less: so many of each scan at most.")
@click.option("--epochs", type=click.IntRange(1), help="Less: so many at most.")
@click.option("--folds", type=click.IntRange(3), help="Of k-fold, in place of 5.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE",
              help="Change a setting of every run, see below.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be run and how long it may take.")
@plain_errors
@log_option
def papers(
    index: Path,
    out: Path,
    papers: tuple[str, ...],
    only: tuple[str, ...],
    persons: int | None,
    slices: int | None,
    epochs: int | None,
    folds: int | None,
    changes: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Repeat the papers' tables on INDEX (CSV), their figures beside what is measured.

    Before it starts it says what it will run and how long that may take here. What is left out
    (--persons, --slices, --epochs, --folds, --only) is said above the table.
    """
    from msnode import learn

    less = learn.Reduction(persons or 0, slices or 0, epochs or 0, folds or 0)
    order = learn.Order(papers, only, settings_of(changes), less)

    def announce(runs: "Sequence[Run]") -> bool:
        Console().print(_foreseen(runs))
        return not dry_run

    with progress_bars() as progress:
        text = learn.replicate(index, out, order, progress, announce)
    if text:
        Console().print(Markdown(text))
        click.echo(f"the tables are in {out / 'papers.md'}")


def _foreseen(runs: "Sequence[Run]") -> Table:
    """What is going to be run."""
    table = Table("paper", "model", "folds", "images", "epochs", "about", title="to be run")
    for run in runs:
        time = "finished" if run.done else _minutes(run.seconds)
        counts = f"{run.folds} + 1", str(run.images), str(run.plan.epochs)
        table.add_row(run.paper, run.model.title, *counts, time)
    left = sum(run.seconds for run in runs if not run.done)
    table.caption = (
        f"about {_minutes(left)} in all, by a step of each network timed here just now; less where"
        " it stops early or goes on from a killed run"
    )
    return table


def _minutes(seconds: float) -> str:
    """A rough time."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""The command line of the learning bench: from train to ablate."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from msnode.cli.learn_options import (
    log_option,
    plan_of,
    progress_bars,
    run_options,
    settings_of,
)
from msnode.cli.options import FILE, FOLDER
from msnode.cli.plan_help import PlanCommand

# as msnode.learn.SCHEMES, which a test holds it to: importing that takes torch's seconds
SCHEMES = ("holdout", "k-fold", "leave-one-patient-out", "leave-one-site-out", "leaking")

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.learn import Outcome, Outlined
    from msnode.learn.evaluate.seen_persons import Acquainted


@click.command(cls=PlanCommand)
@run_options
@log_option
@click.option(
    "--scheme",
    type=click.Choice(["holdout", "leaking", "everyone"]),
    default="holdout",
    show_default=True,
    help="Who is tested; leaking: slices of those who taught; everyone: nobody.",
)
@click.option(
    "--measured",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of everyone: a finished run of the same recipe, whose test persons calibrate the model.",
)
def train(
    index: Path,
    out: Path,
    preset: str,
    changes: tuple[str, ...],
    scheme: str,
    measured: Path | None,
) -> None:
    """Train on 75:10:15 persons of INDEX (CSV), or on everyone, and write a model bundle."""
    from msnode import learn

    plan = plan_of(preset, changes)
    outlines = plan.architecture == learn.OUTLINES
    if scheme == "everyone":
        release = learn.outlining_runs.everyone if outlines else learn.train_on_everyone
        with progress_bars() as progress:
            release(index, out, plan, measured, progress)
        click.echo(f"bundle and card are in {out / 'bundle'}")
        return
    if measured:
        raise click.UsageError("--measured is for --scheme everyone; other schemes test persons")
    with progress_bars() as progress:
        if outlines:
            show_outlines(learn.outlining_runs.train(index, out, plan, progress))
        else:
            show(learn.train(index, out, plan, scheme, progress))


@click.command(cls=PlanCommand)
@run_options
@log_option
@click.option(
    "--scheme",
    type=click.Choice(["k-fold", "leave-one-patient-out", "leave-one-site-out"]),
    default="k-fold",
    show_default=True,
    help="Who is tested by which model.",
)
@click.option("--folds", default=5, show_default=True, help="Of k-fold.")
def crossval(
    index: Path, out: Path, preset: str, changes: tuple[str, ...], scheme: str, folds: int
) -> None:
    """Train and test every fold of INDEX (CSV); persons never cross a fold."""
    from msnode import learn

    plan = plan_of(preset, changes)
    with progress_bars() as progress:
        if plan.architecture == learn.OUTLINES:
            measured = learn.outlining_runs.crossval(index, out, plan, scheme, folds, progress)
            show_outlines(measured)
        else:
            show(learn.crossval(index, out, plan, scheme, folds, progress))


@click.command(cls=PlanCommand)
@run_options
@click.option("--bundle", type=FOLDER, required=True, help="The model to be measured.")
def evaluate(index: Path, out: Path, preset: str, changes: tuple[str, ...], bundle: Path) -> None:
    """Measure a finished bundle on INDEX (CSV), data that it has not seen.

    With --preset lesions, one that outlines.
    """
    from msnode import learn

    plan = plan_of(preset, changes)
    with progress_bars() as progress:
        if plan.architecture == learn.OUTLINES:
            show_outlines(learn.outlining_evaluation.evaluate(bundle, index, out, plan, progress))
        else:
            show(learn.evaluate(bundle, index, out, plan, progress))


@click.command(cls=PlanCommand)
@run_options
@click.option("--scheme", type=click.Choice(SCHEMES), default="k-fold", show_default=True,
              help="Who is tested by which model.")  # fmt: skip
@click.option("--folds", default=5, show_default=True, help="Of k-fold.")
def baseline(
    index: Path, out: Path, preset: str, changes: tuple[str, ...], scheme: str, folds: int
) -> None:
    """What background, resolution, histogram and position alone reach on the same split."""
    from msnode import learn

    with progress_bars() as progress:
        outcome = learn.baseline(index, out, plan_of(preset, changes), scheme, folds, progress)
    show(outcome)


@click.command(cls=PlanCommand)
@run_options
@log_option
@click.option("--test", type=FILE, required=True, help="Index (CSV) of the persons to measure on.")
@click.option("--only", "names", multiple=True, help="A variant; by default all.")
def ablate(
    index: Path,
    out: Path,
    preset: str,
    changes: tuple[str, ...],
    test: Path,
    names: tuple[str, ...],
) -> None:
    """Train the recipe on INDEX (CSV) without each of its ingredients in turn.

    Rows of INDEX with the role train (synthetic scans) add the variants with them.
    """
    from msnode import learn

    with progress_bars() as progress:
        text = learn.ablate(
            index, test, out, names, preset or "shipped", settings_of(changes), progress
        )
    Console().print(Markdown(text))
    click.echo(f"the table is in {out / 'ablation.md'}")


def show(outcome: "Outcome") -> None:
    """Print what a run measured, the naive classifier beside it."""
    console = Console()
    _warn(console, outcome.acquainted)
    table = Table("measure", "per image", "naive, per image", "per study")
    for name, figure in outcome.slices.items():
        table.add_row(
            name, str(figure), str(outcome.naive.get(name, "")), str(outcome.studies.get(name, ""))
        )
    table.caption = "95 % intervals by bootstrap over persons"
    console.print(table)
    if len(outcome.folds) > 1:
        console.print(_fold_table(outcome.folds))
    if outcome.apart:
        console.print(_apart_table(outcome))
    told = outcome.acquainted.warnings if outcome.acquainted else ()
    for warning in (one for one in outcome.warnings if one not in told):
        console.print(f"[yellow]warning[/] {warning}")
    console.print(f"everything else is in {outcome.folder}")


def _warn(console: Console, known: "Acquainted | None") -> None:
    """Whom the bundle has learned from stands above all figures."""
    for warning in known.warnings if known else ():
        console.print(f"[bold white on red] WARNING [/] [bold]{warning}[/]")


def _apart_table(outcome: "Outcome") -> Table:
    """Figures of persons that the bundle has not seen beside those of the others."""
    heads = (f"{of}, {name} persons" for name in outcome.apart for of in ("image", "study"))
    table = Table("measure, per", *heads)
    for name in outcome.slices:
        parts = outcome.apart.values()
        cells = (str(part[of][name]) for part in parts for of in ("slices", "studies"))
        table.add_row(name, *cells)
    table.caption = "only unseen persons say what to expect of new ones"
    return table


def show_outlines(outcome: "Outlined") -> None:
    """Print how well lesions were outlined, the naive threshold beside it."""
    from msnode.learn.runs.outlining_runs import MEANINGS

    console = Console()
    _warn(console, outcome.acquainted)
    columns = {"value": outcome.figures}
    if outcome.unseen is not None:
        columns = {"all": outcome.figures, "unseen persons": outcome.unseen}
    table = Table("measure", *columns)
    for name in outcome.figures:
        table.add_row(MEANINGS[name], *(str(of[name]) for of in columns.values()))
    table.caption = "95 % intervals by bootstrap over persons"
    console.print(table)
    console.print(f"everything else is in {outcome.folder}")


def _fold_table(folds: dict[str, dict[str, float]]) -> Table:
    """A row a fold."""
    from msnode.learn.evaluate.figures_of_merit import short

    table = Table("fold", "images", "AUC", "accuracy", "F1")
    for name, of in folds.items():
        cells = (short(of[figure]) for figure in ("auc", "accuracy", "f1"))
        table.add_row(name, f"{of['images']:.0f}", *cells)
    return table

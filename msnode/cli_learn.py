"""The command line of the learning bench: from train to ablate, and data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import yaml
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from msnode.errors import ConfigError, MsnodeError

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.learn import Findings, Outcome, Plan

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

OPTIONS = (
    click.argument("index", type=FILE),
    click.option("--out", type=FOLDER, required=True, help="Run directory; a killed run goes on."),
    click.option("--preset", help="A paper's settings, see docs/models.md."),
    click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="NAME=VALUE",
        help="Change a setting of the plan.",
    ),
)


def plain_errors(command: F) -> F:
    """Errors that we understand come as one plain line."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except MsnodeError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            message = f"{error.name} is missing; install the extra: pip install 'msnode[learn]'"
            raise click.ClickException(message) from error

    return wrapped  # type: ignore[return-value]


def run_options(command: F) -> F:
    """The arguments that every learning command takes."""
    decorated: Any = plain_errors(command)
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


@click.command()
@run_options
@click.option("--scheme", type=click.Choice(["holdout", "leaking", "everyone"]), default="holdout")
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

    if scheme == "everyone":
        with _progress() as progress:
            learn.train_on_everyone(index, out, _plan(preset, changes), measured, progress)
        click.echo(f"bundle and card are in {out / 'bundle'}")
        return
    if measured:
        raise click.UsageError("--measured is for --scheme everyone; other schemes test persons")
    with _progress() as progress:
        outcome = learn.train(index, out, _plan(preset, changes), scheme, progress)
    show(outcome)


@click.command()
@run_options
@click.option(
    "--scheme",
    type=click.Choice(["k-fold", "leave-one-patient-out", "leave-one-site-out"]),
    default="k-fold",
    show_default=True,
)
@click.option("--folds", default=5, show_default=True, help="Of k-fold.")
def crossval(
    index: Path, out: Path, preset: str, changes: tuple[str, ...], scheme: str, folds: int
) -> None:
    """Train and test every fold of INDEX (CSV); persons never cross a fold."""
    from msnode import learn

    with _progress() as progress:
        outcome = learn.crossval(index, out, _plan(preset, changes), scheme, folds, progress)
    show(outcome)


@click.command()
@run_options
@click.option("--bundle", type=FOLDER, required=True, help="The model to be measured.")
def evaluate(index: Path, out: Path, preset: str, changes: tuple[str, ...], bundle: Path) -> None:
    """Measure a finished bundle on INDEX (CSV), data that it has not seen."""
    from msnode import learn

    with _progress() as progress:
        outcome = learn.evaluate(bundle, index, out, _plan(preset, changes), progress)
    show(outcome)


@click.command()
@run_options
@click.option("--scheme", default="k-fold", show_default=True)
@click.option("--folds", default=5, show_default=True, help="Of k-fold.")
def baseline(
    index: Path, out: Path, preset: str, changes: tuple[str, ...], scheme: str, folds: int
) -> None:
    """What background, resolution, histogram and position alone reach on the same split."""
    from msnode import learn

    with _progress() as progress:
        outcome = learn.baseline(index, out, _plan(preset, changes), scheme, folds, progress)
    show(outcome)


@click.command()
@click.argument("index", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Holds every run; a killed one goes on.")
@click.option(
    "--paper", "papers", multiple=True, type=click.Choice(["hybrid", "shallow", "swin"]),
    help="One paper's table; by default all.",
)  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Of every run's plan.")
@plain_errors
def papers(index: Path, out: Path, papers: tuple[str, ...], changes: tuple[str, ...]) -> None:
    """Repeat the papers' tables on INDEX (CSV), their figures beside what is measured."""
    from msnode import learn

    with _progress() as progress:
        text = learn.replicate(index, out, papers, _settings(changes), progress)
    Console().print(Markdown(text))
    click.echo(f"the tables are in {out / 'papers.md'}")


@click.command()
@run_options
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

    with _progress() as progress:
        text = learn.ablate(
            index, test, out, names, preset or "shipped", _settings(changes), progress
        )
    Console().print(Markdown(text))
    click.echo(f"the table is in {out / 'ablation.md'}")


@click.group()
def data() -> None:
    """Look at data before a model learns from it."""


@data.command("check")
@run_options
def data_check(index: Path, out: Path, preset: str, changes: tuple[str, ...]) -> None:
    """Count persons, find duplicates, and warn of confounds in INDEX (CSV)."""
    from msnode import learn

    with _progress() as progress:
        cohort = learn.open_cohort(
            index, _plan(preset, changes), out, progress=lambda n: progress("preparing", n, n)
        )
        found = learn.check(cohort)
    _show_findings(found)


@data.command("index")
@click.argument("layout")
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--person", help="Of folders: regular expression of the person in a file's name.")
@plain_errors
def data_index(layout: str, root: Path, out: Path, person: str | None) -> None:
    """Write the index (CSV) of a data set that unpacks as LAYOUT below ROOT.

    LAYOUT: ixi, mendeley, msseg2016, isbi2015, ehealth, folders (class/…/person_1.png) or
    dicom (class/person/study/); see docs/models.md.
    """
    from msnode.learn import data, layouts

    rows = layouts.index(layout, root.resolve(), out.resolve(), person)
    data.write(out, rows)
    persons = len({row.person for row in rows})
    masks = sum(row.lesions is not None for row in rows)
    click.echo(f"{out}: {len(rows)} rows, {persons} persons, {masks} with lesion masks")


@data.command("synthesize")
@click.argument("tissues", nargs=-1, required=True, type=FILE)
@click.option(
    "--lesions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of lesion masks in MNI space (NIfTI).",
)
@click.option("--out", type=FOLDER, required=True, help="Gets the scans and index.csv.")
@click.option("--count", type=click.IntRange(1), default=50, show_default=True, help="Pairs.")
@click.option("--seed", default=0, show_default=True)
@plain_errors
def data_synthesize(
    tissues: tuple[Path, ...], lesions: Path, out: Path, count: int, seed: int
) -> None:
    """Draw pairs of FLAIR-like scans, with and without lesions, from TISSUES.

    TISSUES are label volumes of healthy people (1 CSF, 2 grey, 3 white matter; 1 mm NIfTI).
    """
    from msnode.learn import synthetic

    masks = sorted(lesions.glob("*.nii*"))
    if not masks:
        raise ConfigError(f"{lesions}: holds no NIfTI file; name the folder of the masks")
    with _progress() as progress:
        rows = synthetic.synthesize(tissues, masks, out.resolve(), count, seed, progress)
    click.echo(f"{out / 'index.csv'}: {len(rows)} scans of {len({r.person for r in rows})} heads")


COMMANDS = (train, crossval, evaluate, baseline, papers, ablate, data)


def show(outcome: "Outcome") -> None:
    """Print what a run measured, the naive classifier beside it."""
    console = Console()
    table = Table("measure", "per image", "naive, per image", "per study")
    for name, figure in outcome.slices.items():
        table.add_row(
            name, str(figure), str(outcome.naive.get(name, "")), str(outcome.studies.get(name, ""))
        )
    table.caption = "95 % intervals by bootstrap over persons"
    console.print(table)
    if len(outcome.folds) > 1:
        console.print(_fold_table(outcome.folds))
    for warning in outcome.warnings:
        console.print(f"[yellow]warning[/] {warning}")
    console.print(f"everything else is in {outcome.folder}")


def _fold_table(folds: dict[str, dict[str, float]]) -> Table:
    """A row a fold; a dash where its persons are all of one class."""
    table = Table("fold", "images", "AUC", "accuracy", "F1")
    for name, of in folds.items():
        figures = (of["auc"], of["accuracy"], of["f1"])
        cells = ("-" if isnan(figure) else f"{figure:.3f}" for figure in figures)
        table.add_row(name, f"{of['images']:.0f}", *cells)
    return table


def _show_findings(found: "Findings") -> None:
    console = Console()
    table = Table("label", "site", "persons")
    for label, sites in found.persons.items():
        for site, persons in sites.items():
            table.add_row(label, site, str(persons))
    console.print(table)
    console.print(f"{found.images} images; naive classifier by person: AUC {found.naive_auc:.3f}")
    for group in found.duplicates:
        console.print(f"[yellow]same pixels[/] in lines {', '.join(map(str, group))}")
    for warning in found.warnings:
        console.print(f"[yellow]warning[/] {warning}")


def _plan(preset: str | None, changes: tuple[str, ...]) -> "Plan":
    """The preset with ``NAME=VALUE`` changes."""
    from msnode.learn import plan

    return plan(preset, **_settings(changes))


def _settings(changes: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE`` words; the values are read as YAML."""
    settings = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change}: write NAME=VALUE, e.g. epochs=20")
        settings[name] = yaml.safe_load(value)
    return settings


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """One bar a kind of work, on stderr, so that stdout stays clean for the figures."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        yield progress

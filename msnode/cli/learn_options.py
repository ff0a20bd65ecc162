"""What the commands of the learning bench have in common: the index, the plan, progress bars."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from msnode.cli import options
from msnode.cli.extras import needing, require
from msnode.cli.options import FILE, FOLDER
from msnode.errors import ConfigError

if TYPE_CHECKING:  # torch takes seconds to import; --help should not
    from msnode.learn import Plan

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.argument("index", type=FILE),
    click.option("--out", type=FOLDER, required=True, help="Run directory; a killed run goes on."),
    click.option("--preset", metavar="NAME", help="Settings by name, see below."),
    click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="NAME=VALUE",
        help="Change a setting, see below.",
    ),
)


def log_option(command: F) -> F:
    """Let a command that trains log as ``--log`` says; stands below ``run_options``."""

    @click.option(
        "--log",
        type=click.Choice(["csv", "tensorboard", "both"]),
        default="csv",
        show_default=True,
        help="Losses of each stage, beside its checkpoint.",
    )
    @wraps(command)
    def wrapped(*args: Any, log: str, **kwargs: Any) -> Any:
        if log != "csv":
            require("tensorboard")
        from msnode.learn.train import training_log

        with training_log.logging_as(log):
            return command(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def plain_errors(command: F) -> F:
    """Errors that we understand come as one plain line; a missing extra is told first of all."""
    return options.plain_errors(needing("learn")(command))  # type: ignore[return-value]


def run_options(command: F) -> F:
    """The arguments that every learning command takes."""
    decorated: Any = plain_errors(command)
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def plan_of(preset: str | None, changes: tuple[str, ...]) -> "Plan":
    """The preset with ``NAME=VALUE`` changes."""
    from msnode.learn import plan

    return plan(preset, **settings_of(changes))


def settings_of(changes: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE`` words; the values are read as YAML."""
    settings = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change}: write NAME=VALUE, e.g. epochs=20")
        try:
            settings[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {change}: the value is no YAML") from error
    return settings


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
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

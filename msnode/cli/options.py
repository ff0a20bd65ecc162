"""What the commands have in common: kinds of arguments, options, errors in plain words."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from msnode import config as configuration
from msnode.errors import MsnodeError

P = ParamSpec("P")
R = TypeVar("R")

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ANY = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

config_option = click.option(
    "--config", "config_file", type=FILE, required=True, help="YAML file, see config/msnode.yaml."
)
model_option = click.option(
    "--model",
    type=FOLDER,
    default=configuration.BUNDLE,
    show_default=True,
    help="Folder of the model bundle.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Show an error that we understand as one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except MsnodeError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.filename is None:
                raise  # no trouble with a file of the user's: whoever mends it needs the traceback
            raise click.ClickException(f"{error.filename}: {error.strerror}") from error

    return wrapped

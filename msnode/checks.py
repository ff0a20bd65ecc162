"""What `msnode check` looks at before a node is started."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

from sqlalchemy.exc import SQLAlchemyError

from msnode import classify, deliver
from msnode.config import Config, Destination
from msnode.database import open_database
from msnode.errors import MsnodeError

GIGABYTE = 1024**3


def problems(config: Config, *, peers: bool) -> Iterator[tuple[str, str | None]]:
    """Yield each thing that was looked at, and what is wrong with it or None.

    Args:
        config: already validated for itself.
        peers: also C-ECHO every peer, and connect to every webhook.
    """
    yield "data folder", _problem(lambda: _writable(config))
    yield "database", _problem(lambda: open_database(config.database_url).connect().close())
    yield "model bundle", _problem(lambda: classify.load_bundle(config.classify.bundle))
    if not config.receive.callers:
        yield "callers", "none listed: only this host may send; list the scanners and the PACS"
    if not config.destinations:
        yield "destinations", "none listed: results would go nowhere; list the PACS"
    for destination in config.destinations if peers else ():
        yield f"destination {destination.name}", _problem(_reach(destination, config))


def _problem(attempt: Callable[[], object]) -> str | None:
    """What goes wrong with an attempt, in one line."""
    try:
        attempt()
    except (MsnodeError, OSError, SQLAlchemyError) as error:
        return str(error)
    return None


def _writable(config: Config) -> None:
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=config.data) as file:
        os.fsync(file.fileno())
    free = shutil.disk_usage(config.data).free
    if free < config.receive.min_free_bytes:
        raise MsnodeError(
            f"{free / GIGABYTE:.1f} GB free, but receive.min_free_bytes asks for "
            f"{config.receive.min_free_bytes / GIGABYTE:.1f} GB: images would be refused"
        )


def _reach(destination: Destination, config: Config) -> Callable[[], object]:
    """An attempt at a destination: C-ECHO to a peer, a connection, or a folder made."""
    if destination.url is not None:
        return lambda: deliver.reach(destination)
    if destination.folder is not None:
        folder = destination.folder
        return lambda: folder.mkdir(parents=True, exist_ok=True)
    return lambda: deliver.echo(destination, config.receive.ae_title)

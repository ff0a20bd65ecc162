"""What `msnode check` looks at before a node is started: all that would keep it from working."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from msnode import audit, classify
from msnode.classify.device import choose
from msnode.config import (
    Classify,
    Config,
    Destination,
    DicomPeer,
    Folder,
    Receive,
    Syslog,
    Tls,
    Webhook,
)
from msnode.deliver import webhook
from msnode.deliver.peer import echo
from msnode.deliver.verification import negotiate
from msnode.deliver.webhook import reach
from msnode.errors import MsnodeError
from msnode.store.database import open_database
from msnode.store.schema import revisions
from msnode.tls import ServerTls, client_context

GIGABYTE = 1024**3


def problems(config: Config, *, peers: bool) -> Iterator[tuple[str, str | None]]:
    """Yield each thing that was looked at, and what is wrong with it or None.

    Args:
        config: already validated for itself.
        peers: also C-ECHO every peer, and connect to every webhook and to the syslog server.
    """
    yield "data folder", _problem(partial(_room, config))
    yield "database", _problem(partial(_database, config))
    yield "model bundle", _problem(partial(_classifier, config.classify))
    yield "listener", _problem(partial(_listener, config.receive))
    yield "http", _problem(partial(_bind, "http.address", config.http.address))
    if config.audit.syslog is not None:
        yield "audit", _problem(partial(_syslog, config.audit.syslog, peers=peers))
    if not config.receive.callers:
        yield "callers", "none listed: only this host may send; list the scanners and the PACS"
    if not config.destinations:
        yield "destinations", "none listed: results would go nowhere; list the PACS"
    for destination in config.destinations:
        yield (
            f"destination {destination.name}",
            _problem(partial(_prepare, destination, config.receive))
            or (_problem(partial(_reach, destination, config.receive.ae_title)) if peers else None),
        )


def _problem(attempt: Callable[[], object]) -> str | None:
    """What goes wrong with an attempt, in one line."""
    try:
        attempt()
    except (MsnodeError, OSError, SQLAlchemyError) as error:
        return str(error)
    return None


def _room(config: Config) -> None:
    """The data folder can be written and has room."""
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _writable(config.data)
    free = shutil.disk_usage(config.data).free
    if free < config.receive.min_free_bytes:
        raise MsnodeError(
            f"{free / GIGABYTE:.1f} GB free, but receive.min_free_bytes asks for "
            f"{config.receive.min_free_bytes / GIGABYTE:.1f} GB: images would be refused"
        )


def _database(config: Config) -> None:
    """The database answers, and is of this program's version or an older one."""
    database = open_database(config.database_url)
    try:
        revisions(database)
    finally:
        database.dispose()


def _writable(folder: Path) -> None:
    """A folder takes a file."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.fsync(file.fileno())


def _classifier(config: Classify) -> None:
    """The model is whole and the device is there."""
    classify.load_bundle(config.bundle)
    choose(config.device)


def _listener(receive: Receive) -> None:
    """All that the listener is made of, except its port, which a running node holds."""
    if receive.tls is not None:
        _readable("receive.tls", receive.tls)
        ServerTls(receive.tls)
    _bind("receive.address", receive.address)


def _syslog(syslog: Syslog, *, peers: bool) -> None:
    """The syslog server's TLS files, and the server itself."""
    if syslog.tls is not None:
        _readable("audit.syslog.tls", syslog.tls)
    server = audit.Syslog(syslog, "check")
    if peers:
        server.reach()


def _readable(where: str, tls: Tls) -> None:
    """The files of a TLS section can be read by whoever runs the check."""
    for name in ("certificate", "key", "ca"):
        path: Path = getattr(tls, name)
        try:
            path.open("rb").close()
        except OSError as error:
            raise MsnodeError(
                f"{where}.{name}: {path} cannot be read: {error.strerror}; correct the path, or "
                "let the service's user read it"
            ) from error


def _bind(where: str, address: str) -> None:
    """An address is one of this host's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError as error:
        raise MsnodeError(f"{where}: {address} is not of this host: {error.strerror}") from error


def _prepare(destination: Destination, receive: Receive) -> None:
    """What a destination needs of this host: TLS files, a folder, or leave to call back."""
    match destination:
        case Folder():
            destination.folder.mkdir(parents=True, exist_ok=True)
            _writable(destination.folder)
        case Webhook():
            _tls(destination.tls)
            webhook.context(destination)
        case DicomPeer():
            _tls(destination.tls)
            if destination.verify == "commitment" and receive.callers:
                _may_report(destination, receive)


def _tls(tls: Tls | None) -> None:
    """A destination's TLS files."""
    if tls is not None:
        _readable("tls", tls)
        client_context(tls)


def _may_report(peer: DicomPeer, receive: Receive) -> None:
    """A peer that reports on storage commitment is among the callers."""
    title = peer.ae_title.strip()
    if title not in {caller.ae_title.strip() for caller in receive.callers}:
        raise MsnodeError(
            f"verify: {title} is not among receive.callers, so its report on storage "
            "commitment would be turned away; list it there"
        )


def _reach(destination: Destination, ae_title: str) -> None:
    """Connect to a webhook; C-ECHO a peer, and negotiate what its verification needs."""
    match destination:
        case Webhook():
            reach(destination)
        case DicomPeer():
            echo(destination, ae_title)
            negotiate(destination, ae_title)
        case Folder():
            return  # nobody is there to be reached

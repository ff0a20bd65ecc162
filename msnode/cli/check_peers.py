"""What a destination or a source needs of this host."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from msnode.config import (
    ClientKey,
    Config,
    Destination,
    DicomPeer,
    FhirServer,
    Folder,
    Hl7Destination,
    HttpServer,
    PriorSource,
    Receive,
    StowServer,
    Tls,
    Webhook,
    WebSource,
)
from msnode.config.destination import under
from msnode.config.tls_files import unreadable_file
from msnode.errors import MsnodeError
from msnode.manage.reaching import peer_asked
from msnode.report.oru_message import rendered, sample_facts
from msnode.requestor.credentials import assertion
from msnode.requestor.http_request import context
from msnode.tls import client_context


def writable(folder: Path) -> None:
    """A folder takes a file."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.fsync(file.fileno())


def readable(where: str, tls: Tls) -> None:
    """The files of a TLS section can be read by whoever runs the check."""
    _can_be_read(under(where, tls))


def _can_be_read(files: Iterable[tuple[str, Path]]) -> None:
    """Files, by their keys, can be read by whoever runs the check."""
    lines = [line for key, path in files for line in unreadable_file(key, path)]
    if lines:
        raise MsnodeError("\n      ".join(lines))


def prepare(destination: Destination, receive: Receive) -> None:
    """What a destination needs of this host: TLS files, a folder, or leave to call back."""
    match destination:
        case Folder():
            destination.folder.mkdir(parents=True, exist_ok=True)
            writable(destination.folder)
        case Webhook() | StowServer() | FhirServer():
            http_files(destination)
        case Hl7Destination():
            _can_be_read(destination.files)
            _tls(destination.tls)
            rendered(sample_facts(destination), destination.template)
        case DicomPeer():
            _tls(destination.tls)
            if destination.verify == "commitment" and receive.callers:
                _may_report(destination, receive)


def http_files(server: HttpServer) -> None:
    """Files of an HTTP server that we call: TLS, and the key that proves who we are."""
    _can_be_read(server.files)
    context(server)
    if isinstance(server.login, ClientKey):
        assertion(server.login)


def _tls(tls: Tls | None) -> None:
    """A destination's TLS files."""
    if tls is not None:
        readable("tls", tls)
        client_context(tls)


def _may_report(peer: DicomPeer, receive: Receive) -> None:
    """A peer that reports on storage commitment is among the callers."""
    title = peer.ae_title.strip()
    if title not in {caller.ae_title.strip() for caller in receive.callers}:
        raise MsnodeError(
            f"verify: {title} is not among receive.callers, so its report on storage "
            "commitment would be turned away; list it there"
        )


def prepare_source(source: PriorSource, config: Config) -> None:
    """What a source of earlier studies needs of this host: files, or leave to send to us."""
    if isinstance(source, WebSource):
        http_files(source)
        return
    peer, receive = peer_asked(source, config), config.receive
    _tls(peer.tls)
    titles = {one.ae_title.strip() for one in receive.callers if "store" in one.rights}
    title = peer.ae_title.strip()
    if source.by == "c-move" and receive.callers and title not in titles:
        raise MsnodeError(
            f"by: {title} is not among receive.callers with the right to store, so what it sends "
            "by C-MOVE would be turned away; list it there, or take c-get"
        )

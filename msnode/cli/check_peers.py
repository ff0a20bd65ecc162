"""What a destination or a source needs of this host, and whether it is there."""

import os
import socket
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msnode.config import (
    ClientKey,
    Config,
    Destination,
    DicomPeer,
    DicomSource,
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
    peer_of,
)
from msnode.config.destination import under
from msnode.config.overlaps import is_listened_on, itself
from msnode.config.tls_files import unreadable_file
from msnode.deliver import mllp_sender
from msnode.deliver.stow import try_out
from msnode.deliver.verification import negotiate
from msnode.errors import ConfigError, MsnodeError
from msnode.fetch import web_way
from msnode.fetch.retrieve import GET, MOVE
from msnode.report.oru_message import rendered, sample_facts
from msnode.requestor import fhir_search
from msnode.requestor.credentials import assertion
from msnode.requestor.http_request import context, reach
from msnode.requestor.peer import echo, offering
from msnode.requestor.query import FIND
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


def _asked(source: DicomSource, config: Config) -> DicomPeer:
    """The peer that is asked."""
    peer = peer_of(source, config.destinations)
    assert peer is not None  # noqa: S101 - the configuration was checked
    return peer


def prepare_source(source: PriorSource, config: Config) -> None:
    """What a source of earlier studies needs of this host: files, or leave to send to us."""
    if isinstance(source, WebSource):
        http_files(source)
        return
    peer, receive = _asked(source, config), config.receive
    _tls(peer.tls)
    titles = {one.ae_title.strip() for one in receive.callers if "store" in one.rights}
    title = peer.ae_title.strip()
    if source.by == "c-move" and receive.callers and title not in titles:
        raise MsnodeError(
            f"by: {title} is not among receive.callers with the right to store, so what it sends "
            "by C-MOVE would be turned away; list it there, or take c-get"
        )


def reach_source(source: PriorSource, config: Config) -> None:
    """Search at a DICOMweb server; C-ECHO a peer, and negotiate what is asked of it."""
    if isinstance(source, WebSource):
        web_way.try_out(source)
        return
    peer, receive = _asked(source, config), config.receive
    _is_another(peer, receive)
    echo(peer, receive.ae_title)
    with offering(FIND, peer, receive.ae_title):
        pass
    with offering(MOVE if source.by == "c-move" else GET, peer, receive.ae_title):
        pass


def reach_destination(destination: Destination, receive: Receive) -> None:
    """Connect to a webhook, search at a DICOMweb server, C-ECHO a peer; try the verification."""
    match destination:
        case Webhook():
            reach(destination, destination.name)
        case StowServer():
            try_out(destination)
        case FhirServer():
            fhir_search.try_out(destination, destination.name)
        case Hl7Destination():
            mllp_sender.reach(destination)
        case DicomPeer():
            _is_another(destination, receive)
            echo(destination, receive.ae_title)
            negotiate(destination, receive.ae_title)
        case Folder():
            return  # nobody is there to be reached


def _is_another(peer: DicomPeer, receive: Receive) -> None:
    """A peer whose name is not this host's, or that has another port."""
    with suppress(OSError):  # a name that nobody knows: C-ECHO says so
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
        for family, _, _, _, (address, *_) in found:
            if is_listened_on(receive, str(address), peer.port) and _is_here(family, str(address)):
                raise ConfigError(f"host: {itself(peer)}")


def _is_here(family: socket.AddressFamily, address: str) -> bool:
    """Whether an address is one of this host's."""
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True

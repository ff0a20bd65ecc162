"""Whether destinations, and sources of earlier studies, answer now."""

import socket
from contextlib import suppress

from msnode.config import (
    Config,
    Destination,
    DicomPeer,
    DicomSource,
    FhirServer,
    Folder,
    Hl7Destination,
    PriorSource,
    Receive,
    StowServer,
    Webhook,
    WebSource,
    peer_of,
)
from msnode.config.overlaps import is_listened_on, itself
from msnode.deliver import mllp_sender
from msnode.deliver.stow import try_out
from msnode.deliver.verification import negotiate
from msnode.errors import ConfigError
from msnode.fetch import web_way
from msnode.fetch.retrieve import GET, MOVE
from msnode.requestor import fhir_search
from msnode.requestor.http_request import reach
from msnode.requestor.peer import echo, offering
from msnode.requestor.query import FIND


def peer_asked(source: DicomSource, config: Config) -> DicomPeer:
    """The peer that is asked."""
    peer = peer_of(source, config.destinations)
    assert peer is not None  # noqa: S101 - the configuration was checked
    return peer


def reach_source(source: PriorSource, config: Config) -> None:
    """Search at a DICOMweb server; C-ECHO a peer, and negotiate what is asked of it."""
    if isinstance(source, WebSource):
        web_way.try_out(source)
        return
    peer, receive = peer_asked(source, config), config.receive
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

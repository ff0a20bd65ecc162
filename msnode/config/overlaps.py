"""Settings that are right alone and wrong beside another one: equal ports, twins, ourselves."""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msnode.config.constraints import is_loopback
from msnode.config.destinations import Destination
from msnode.config.dicom_peer import DicomPeer
from msnode.config.hl7_destination import Hl7Destination
from msnode.config.prior_sources import PeerSource, PriorSource, peer_of
from msnode.config.stow_server import StowServer

if TYPE_CHECKING:
    from msnode.config.hl7_receive import Hl7
    from msnode.config.pages import Pages
    from msnode.config.settings import Caller, Http, Receive
    from msnode.config.web_receive import Dicomweb

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - not bound here


def equal_ports(receive: "Receive", http: "Http", pages: "Pages | None") -> Iterator[str]:
    """Two listeners on one port."""
    every: dict[str, Receive | Http | Dicomweb | Hl7 | Pages | None] = {
        "receive": receive,
        "http": http,
        "receive.dicomweb": receive.dicomweb,
        "receive.hl7": receive.hl7,
        "pages": pages,
    }
    sections = [(name, one.address, one.port) for name, one in every.items() if one is not None]
    for i, (name, address, port) in enumerate(sections):
        for other, its_address, its_port in sections[:i]:
            if port == its_port != 0 and _meet(address, its_address):
                yield f"{name}.port: {port} is {other}.port, too; give one of them another"


def _meet(one: str, other: str) -> bool:
    """Whether two addresses that are listened on have one in common."""
    both_here = is_loopback(one) and is_loopback(other) and "::1" not in (one, other)
    return one == other or both_here or not {one, other}.isdisjoint(EVERYWHERE)


def is_listened_on(receive: "Receive", address: str, port: int) -> bool:
    """Whether an address of this host and a port are those of our listener."""
    return port == receive.port and _meet(receive.address, address)


def wrong_destinations(receive: "Receive", destinations: Sequence[Destination]) -> Iterator[str]:
    """Destinations that are this node, have another one's name, or bring everything twice.

    What the node sends to itself it takes for delivered, and keeps nowhere.
    """
    names: set[str] = set()
    places: dict[object, str] = {}
    for i, one in enumerate(destinations):
        where = f"destinations.{i}"
        if one.name in names:
            yield f"{where}.name: {one.name!r} is used twice; receipts need unique names"
        names.add(one.name)
        if isinstance(one, DicomPeer) and _is_us(receive, one):
            yield f"{where}.host: {itself(one)}"
        if isinstance(one, StowServer) and _is_at(receive.dicomweb, one.host, one.tcp_port):
            yield f"{where}.stow: is this node itself; give the address of the DICOMweb server"
        if isinstance(one, Hl7Destination) and _is_at(receive.hl7, one.mllp, one.port):
            yield f"{where}.mllp: is this node itself; give the host and port of the HL7 system"
        twin = places.setdefault(one.place, one.name)
        if twin != one.name:
            yield (
                f"{where}: brings to where {twin!r} brings already, so each result would be there "
                "twice; delete one of them"
            )


def own_sources(receive: "Receive", sources: Sequence[PriorSource]) -> Iterator[str]:
    """Sources of earlier studies that are this node."""
    for i, one in enumerate(sources):
        if isinstance(one, PeerSource) and (peer := peer_of(one, ())) and _is_us(receive, peer):
            yield f"priors.{i}.host: {itself(peer)}"


def itself(peer: DicomPeer) -> str:
    """What is wrong with a destination that is this node."""
    return f"{peer.host} port {peer.port} is this node itself; give the peer's host and port"


def _is_at(listener: "Dicomweb | Hl7 | None", host: str, port: int) -> bool:
    """Likewise, of the listeners for other protocols."""
    if listener is None or port != listener.port:
        return False
    return is_loopback(host) or host in (*EVERYWHERE, listener.address)


def _is_us(receive: "Receive", peer: DicomPeer) -> bool:
    """Whether a peer is our listener, as far as that is plain without asking a name server."""
    is_here = is_loopback(peer.host) or peer.host in (*EVERYWHERE, receive.address)
    return is_here and is_listened_on(receive, peer.host, peer.port)


def idle_callers(callers: "Sequence[Caller]") -> Iterator[str]:
    """Callers that never count, as an earlier one with their title lets in all that they do."""
    for i, caller in enumerate(callers):
        for j, earlier in enumerate(callers[:i]):
            if _covers(earlier, caller):
                yield (
                    f"callers.{i}: never counts, as callers.{j} has the same AE title and fits "
                    "first; delete one of them, or give both an address"
                )
                break


def _covers(earlier: "Caller", later: "Caller") -> bool:
    """Whether whoever fits the later one fits the earlier one, too."""
    return (
        earlier.ae_title.strip() == later.ae_title.strip()
        and earlier.subject in (None, later.subject)
        and _holds(earlier.address, later.address)
    )


def _holds(wide: str | None, narrow: str | None) -> bool:
    """Whether a network holds all of another; None is any address."""
    if wide is None or narrow is None:
        return wide is None
    try:
        outer, inner = (ipaddress.ip_network(each, strict=False) for each in (wide, narrow))
    except ValueError:  # one is no network, which its own rule tells
        return False
    longer = inner.prefixlen >= outer.prefixlen
    return longer and inner.supernet(new_prefix=outer.prefixlen) == outer

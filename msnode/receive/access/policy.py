"""Who may open an association with us, and how many (PS3.8 9.3.4)."""

import ipaddress
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from msnode import config
from msnode.receive.access.connection_limit import ConnectionLimit
from msnode.receive.dicom.request import (
    CALLED_UNKNOWN,
    CALLING_UNKNOWN,
    LIMIT_EXCEEDED,
    NO_PROTOCOL,
    Rejected,
    Request,
)

TITLE = re.compile(r"[ -\[\]-~]{1,16}")
"""PS3.5 6.2 AE: the default repertoire without backslash and control characters."""

Host = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection.

    Attributes:
        address: IPv4 or IPv6.
        names: those in its certificate; none without TLS.
    """

    address: str
    names: frozenset[str] = frozenset()

    @property
    def host(self) -> Host:
        """The address without its zone; an IPv4-mapped IPv6 address becomes IPv4."""
        host = ipaddress.ip_address(self.address.partition("%")[0])
        return getattr(host, "ipv4_mapped", None) or host

    def is_at(self, address: str | None) -> bool:
        """Whether it is at an address or in a network; None stands for any address."""
        return address is None or self.host in ipaddress.ip_network(address, strict=False)

    def shows(self, subject: str | None) -> bool:
        """Whether its certificate carries a name; None asks for no name."""
        return subject is None or subject.casefold() in {name.casefold() for name in self.names}


class Policy:
    """The rules of ``receive.ae_title``, ``callers`` and ``max_associations``."""

    def __init__(self, receive: config.Receive) -> None:
        self._ours = receive.ae_title.strip()
        self._callers = receive.callers
        self._gate = ConnectionLimit(receive.max_associations)
        self._open = {
            caller: threading.Semaphore(caller.max_associations)
            for caller in receive.callers
            if caller.max_associations is not None
        }

    def admit(self, request: Request, peer: Peer) -> config.Caller:
        """Find the configured caller that this request comes from.

        Raises:
            Rejected: the caller is not allowed in.
        """
        if not request.protocol_version & 1:
            raise Rejected(NO_PROTOCOL, "protocol_version")
        if request.called != self._ours:
            raise Rejected(CALLED_UNKNOWN, "called_title")
        if not self._callers:
            return _local(request.calling, peer)
        known = [c for c in self._callers if c.ae_title.strip() == request.calling]
        if not known:
            raise Rejected(CALLING_UNKNOWN, "caller")
        known = [caller for caller in known if peer.is_at(caller.address)]
        if not known:
            raise Rejected(CALLING_UNKNOWN, "address")
        known = [caller for caller in known if peer.shows(caller.subject)]
        if not known:
            raise Rejected(CALLING_UNKNOWN, "certificate")
        return known[0]

    @contextmanager
    def place(self, caller: config.Caller, peer: Peer) -> Iterator[None]:
        """Hold one of this caller's association slots for the time of a ``with`` block.

        Raises:
            Rejected: the caller has used up its own slots, or none is left.
        """
        own = self._open.get(caller)
        if own is not None and not own.acquire(blocking=False):
            raise Rejected(LIMIT_EXCEEDED, "caller_max_associations")
        try:
            if not self._gate.enter(peer.address):
                raise Rejected(LIMIT_EXCEEDED, "max_associations")
            try:
                yield
            finally:
                self._gate.leave(peer.address)
        finally:
            if own is not None:
                own.release()


def _local(title: str, peer: Peer) -> config.Caller:
    """With no callers configured only this host may call, under any title."""
    if not peer.host.is_loopback:
        raise Rejected(CALLING_UNKNOWN, "caller")
    if not TITLE.fullmatch(title):
        raise Rejected(CALLING_UNKNOWN, "caller")
    return config.Caller(title)

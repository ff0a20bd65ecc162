"""A DICOM peer: its name on the command line, TLS, the association with it, C-ECHO."""

import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from msnode.config import DicomPeer
from msnode.errors import ConfigError, Refused, TryLater
from msnode.requestor.association_answer import Course
from msnode.tls import client_context

CONNECT_S = 10.0
"""For TCP and the TLS handshake."""
ACSE_S = 30.0
"""For the answer to an association request or release."""
DIMSE_S = 120.0
"""For the answer to one request: a busy PACS may take its time over a large object."""
STALL_S = 60.0
"""A peer that takes no byte for so long is given up; without it a send would block for ever."""
SLOWEST = 10_000
"""Bytes a second that a peer must take: an object has `DIMSE_S` and the time that this means."""


def parse_peer(text: str) -> DicomPeer:
    """Read ``AET@HOST:PORT``; an IPv6 address goes in square brackets.

    Raises:
        ConfigError: the text is none, or has a title or port out of range (PS3.5 6.2, AE).
    """
    match = re.fullmatch(r"([ -\[\]-~]{1,16})@(\[[0-9A-Fa-f:.%]+\]|[^@:\s\[\]]+):(\d{1,5})", text)
    if match is None or not match[1].strip() or not 1 <= int(match[3]) <= 65535:
        raise ConfigError(
            f"{text!r} is no DICOM peer: write AET@HOST:PORT, e.g. ORTHANC@localhost:4242"
            " (title of 1 to 16 characters, port from 1 to 65535)"
        )
    title, host, port = match.groups()
    return DicomPeer(name=text, ae_title=title.strip(), host=host.strip("[]"), port=int(port))


@contextmanager
def associate(
    destination: DicomPeer,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[EventHandlerType] = (),
    course: Course | None = None,
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Iterator[Association]:
    """An association (PS3.8 7.1) with a peer for the time of a ``with`` block.

    Args:
        destination: the peer.
        calling_ae_title: ours.
        contexts: the presentation contexts to propose.
        handlers: what pynetdicom has to call.
        course: gets to know how the association ends.
        roles: that we propose (PS3.7 D.3.3.4).

    Yields:
        The association; without accepted contexts (and then not established) where the peer
        took none of them.

    Raises:
        TryLater: no connection, or the peer rejected or aborted the association; says why.
        ConfigError: the TLS files cannot be used.
    """
    course = course or Course()
    watching = [*course.handlers(), *handlers]
    association = _request(destination, calling_ae_title, contexts, watching, roles)
    try:
        if not association.is_established and not association.rejected_contexts:
            raise TryLater(f"{destination.name} {_why(destination, association, course)}")
        yield association
    finally:
        if association.is_established:
            association.release()


@contextmanager
def offering(
    sop_class: UID,
    destination: DicomPeer,
    calling_ae_title: str,
    handlers: Sequence[EventHandlerType] = (),
) -> Iterator[Association]:
    """An association that is for one SOP Class alone.

    Raises:
        Refused: the peer does not support it.
        TryLater, ConfigError: as `associate`.
    """
    contexts = [build_context(sop_class)]
    with associate(destination, calling_ae_title, contexts, handlers) as association:
        if not association.is_established:
            raise Refused(f"{destination.name} does not support the {sop_class.name}")
        yield association


def _request(
    destination: DicomPeer,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[EventHandlerType],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation],
) -> Association:
    """Ask for an association, which may not come about."""
    try:
        return _entity(calling_ae_title).associate(
            destination.host,
            destination.port,
            contexts=list(contexts),
            ae_title=destination.ae_title,
            tls_args=_tls_args(destination),
            ext_neg=list(roles),
            evt_handlers=[(evt.EVT_CONN_OPEN, _opened), *handlers],
        )
    except socket.gaierror as error:
        raise TryLater(f"{destination.name} cannot be reached: {error.strerror}") from error


def _tls_args(destination: DicomPeer) -> tuple[ssl.SSLContext, str] | None:
    """What pynetdicom wants for TLS: the context, and the name to be proven."""
    return (client_context(destination.tls), destination.host) if destination.tls else None


def _entity(title: str) -> AE:
    """Our application entity, which waits for nothing for ever."""
    entity = AE(ae_title=title)
    entity.connection_timeout = CONNECT_S
    entity.acse_timeout = ACSE_S
    entity.dimse_timeout = DIMSE_S
    entity.network_timeout = max(DIMSE_S, STALL_S) + ACSE_S
    return entity


def _opened(event: Event) -> None:
    """Limit how long a write may block, and send small PDUs at once (no Nagle)."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.settimeout(STALL_S)
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _why(destination: DicomPeer, association: Association, course: Course) -> str:
    """Why an association did not come about, in words for the administrator."""
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        return f"rejected the association: {answer.reason_str} ({answer.result_str})"
    if course.unreadable:
        return f"answered, but {course.end or course.unreadable}"
    if course.opened:
        return (
            "took the connection but neither accepted nor rejected the association:"
            f" {course.end or 'it closed the connection'};"
            " is this its DICOM port, with the same TLS setting?"
        )
    return f"cannot be reached: {_trouble(destination)}"


def _trouble(destination: DicomPeer) -> str:
    """What stops a connection: pynetdicom only logs it, so that it is tried once more."""
    peer = (destination.host, destination.port)
    try:
        with socket.create_connection(peer, CONNECT_S) as plain:
            if destination.tls is not None:
                context = client_context(destination.tls)
                context.wrap_socket(plain, server_hostname=destination.host).close()
    except OSError as error:
        return str(error)
    return "the connection broke off"


def echo(peer: DicomPeer, calling_ae_title: str) -> float:
    """C-ECHO (PS3.4 A): does a peer answer?

    Returns:
        Seconds from the association request to the answer.

    Raises:
        TryLater: it does not, or with a failure status; says why.
        ConfigError: the TLS files cannot be used.
    """
    start = time.monotonic()
    with associate(peer, calling_ae_title, [build_context(Verification)]) as association:
        if not association.is_established:
            raise TryLater(f"{peer.name} is there, but does not accept the Verification SOP Class")
        status = association.send_c_echo().get("Status")
        seconds = time.monotonic() - start
    if status != 0x0000:
        answer = "nothing" if status is None else f"status 0x{status:04X}"
        raise TryLater(f"{peer.name} answered a C-ECHO with {answer}")
    return seconds

"""The HL7 v2 listener: accepts connections and gives each a session."""

import socket

from msnode import config, metrics
from msnode.audit import SILENT, Trail
from msnode.receive.access.policy import Peer
from msnode.receive.access.refusals import Refusals
from msnode.receive.mllp.mllp_connection import MllpConnection
from msnode.receive.mllp.mllp_policy import MllpPolicy
from msnode.receive.mllp.mllp_session import MllpServices, MllpSession, Take
from msnode.receive.tcp_listener import TcpListener, tls_for
from msnode.tls import ServerTls


class MllpListener(TcpListener[MllpSession]):
    """Receives HL7 v2 messages over MLLP.

    Args:
        receive: the limits, as of the DICOM listener.
        hl7: the address and who may call.
        take: takes messages in.
        trail: the audit trail.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    def __init__(
        self, receive: config.Receive, hl7: config.Hl7, take: Take, trail: Trail = SILENT
    ) -> None:
        most = receive.max_associations
        super().__init__("receive.hl7", hl7.address, hl7.port, most, mllp_tls(hl7))
        self._receive = receive
        self._services = MllpServices(MllpPolicy(hl7), take, Refusals(trail), self._pace)

    def session(self, sock: socket.socket, address: str) -> MllpSession:
        """Of one connection, which carries message after message."""
        limits = self._receive
        connection = MllpConnection(sock, limits.network_timeout_s, limits.max_association_s)
        return MllpSession(connection, Peer(address), self._services)

    def turn_away(self, address: str) -> None:
        """Record a connection beyond its address's share."""
        metrics.HL7_BROKEN.labels("no_connection").inc()
        self._services.guard.refuse(address, "", "connections", "too many are open")


def mllp_tls(hl7: config.Hl7) -> ServerTls | None:
    """Its TLS, None without; raises as `tls_for`."""
    return tls_for(hl7.tls, "receive.hl7.tls", (caller.subject for caller in hl7.callers))

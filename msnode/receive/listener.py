"""The DICOM listener: accepts connections and gives each an association."""

import socket
from collections.abc import Sequence

from msnode import config, metrics
from msnode.audit import SILENT, Trail
from msnode.receive.access.policy import Policy
from msnode.receive.access.refusals import Refusals
from msnode.receive.association import AssociationThread, Services
from msnode.receive.dicom.sop_classes import accepted, contexts
from msnode.receive.dicom.upper_layer import Connection
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.n_event_report import Reports
from msnode.receive.tcp_listener import TcpListener
from msnode.tls import ServerTls


class Listener(TcpListener[AssociationThread]):
    """C-ECHO and C-STORE SCP, and SCU of storage commitment for the reports that come to it.

    Args:
        receive: the configuration.
        inbox: where instances go.
        reports: where reports on storage commitment go, None if nobody is to send any.
        trail: the audit trail.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    def __init__(
        self,
        receive: config.Receive,
        inbox: Inbox,
        reports: Reports | None = None,
        trail: Trail = SILENT,
    ) -> None:
        tls = ServerTls(receive.tls) if receive.tls else None
        super().__init__("receive", receive.address, receive.port, receive.max_associations, tls)
        self._config = receive
        supported = contexts(accepted(receive.accept))
        supported += reports.contexts() if reports is not None else []
        self.guard = Refusals(trail)
        self._services = Services(
            receive, inbox, reports, Policy(receive), supported, trail, self.guard, self._pace
        )

    def session(self, sock: socket.socket, address: str) -> AssociationThread:
        """An association, should one be asked for."""
        timeout, longest = self._config.network_timeout_s, self._config.max_association_s
        connection = Connection(sock, timeout, self._config.max_pdu, longest)
        return AssociationThread(connection, address, self._services)

    def turn_away(self, address: str) -> None:
        """Record a connection beyond its address's share."""
        metrics.ASSOCIATIONS.labels("no_connection").inc()
        self.guard.refuse(address, "", "connections", "too many are open")

    def tend(self, sessions: Sequence[AssociationThread], now: float) -> None:
        """End connections whose time is over."""
        for session in sessions:
            session.connection.check(now)

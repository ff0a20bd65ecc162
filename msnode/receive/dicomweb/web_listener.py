"""The STOW-RS listener: accepts connections and gives each a session."""

import socket

from msnode import config, metrics
from msnode.audit import SILENT, Trail
from msnode.receive.access.connection_limit import ConnectionLimit
from msnode.receive.access.policy import Peer
from msnode.receive.access.refusals import Refusals
from msnode.receive.dicom.sop_classes import accepted
from msnode.receive.dicomweb.fhir_request import Intake
from msnode.receive.dicomweb.http_connection import HttpConnection
from msnode.receive.dicomweb.web_policy import WebPolicy
from msnode.receive.dicomweb.web_services import WebServices
from msnode.receive.dicomweb.web_session import WebSession
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.tcp_listener import TcpListener, tls_for
from msnode.tls import ServerTls


class WebListener(TcpListener[WebSession]):
    """STOW-RS origin server (PS3.18 10.5).

    Args:
        receive: the limits, as of the DICOM listener.
        web: the address and who may call.
        inbox: where instances go.
        trail: the audit trail.
        clinical: takes Bundles of FHIR; None where none are taken.

    Raises:
        ConfigError: the TLS files cannot be used.
    """

    def __init__(
        self,
        receive: config.Receive,
        web: config.Dicomweb,
        inbox: Inbox,
        trail: Trail = SILENT,
        clinical: Intake | None = None,
    ) -> None:
        most = receive.max_associations
        super().__init__("receive.dicomweb", web.address, web.port, most, server_tls(web))
        self._receive = receive
        self._services = WebServices(
            receive,
            inbox,
            WebPolicy(web),
            accepted(receive.accept),
            ConnectionLimit(most),
            trail,
            Refusals(trail),
            self._pace,
            clinical,
        )

    def session(self, sock: socket.socket, address: str) -> WebSession:
        """Of one connection, which may carry several requests."""
        limits = self._receive
        connection = HttpConnection(
            sock, limits.network_timeout_s, limits.max_association_s, limits.max_pdu
        )
        return WebSession(connection, Peer(address), self._services)

    def turn_away(self, address: str) -> None:
        """Record a connection beyond its address's share."""
        metrics.STOW_REQUESTS.labels("no_connection").inc()
        self._services.guard.refuse(address, "", "connections", "too many are open")


def server_tls(web: config.Dicomweb) -> ServerTls | None:
    """Its TLS, None without; raises as `tls_for`."""
    return tls_for(web.tls, "receive.dicomweb.tls", (caller.subject for caller in web.callers))

"""Who may open an association with us (PS3.8 9.3.4)."""

import ipaddress

from pynetdicom.pdu_primitives import A_ASSOCIATE

from msnode import config
from msnode.errors import ConfigError
from msnode.receive import upper_layer
from msnode.receive.upper_layer import Rejection

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Policy:
    """The rules of ``receive.ae_title`` and ``receive.callers``.

    Raises:
        ConfigError: a caller's address is no address or network.
    """

    def __init__(self, receive: config.Receive) -> None:
        self._ours = receive.ae_title.strip()
        self._callers = [
            (caller.ae_title.strip(), _network(i, caller.address))
            for i, caller in enumerate(receive.callers)
        ]

    def objection(self, request: A_ASSOCIATE, address: str) -> Rejection | None:
        """Why a request is rejected, None if it is welcome.

        Args:
            request: the A-ASSOCIATE indication.
            address: where it comes from, an IPv4 or IPv6 address.
        """
        if request.result is not None:
            return upper_layer.NO_PROTOCOL
        if request.application_context_name != upper_layer.APPLICATION_CONTEXT:
            return upper_layer.NO_CONTEXT_NAME
        if str(request.called_ae_title).strip() != self._ours:
            return upper_layer.CALLED_UNKNOWN
        if not self._may_call(str(request.calling_ae_title).strip(), address):
            return upper_layer.CALLING_UNKNOWN
        return None

    def _may_call(self, title: str, address: str) -> bool:
        """With no callers configured only this host may call, under any title."""
        host = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:
            host = host.ipv4_mapped
        if not self._callers:
            return host.is_loopback
        return any(
            title == known and (network is None or host in network)
            for known, network in self._callers
        )


def _network(index: int, address: str | None) -> Network | None:
    """An address or CIDR network; None stays None."""
    if address is None:
        return None
    try:
        return ipaddress.ip_network(address, strict=False)
    except ValueError as error:
        raise ConfigError(
            f"receive.callers.{index}.address: {address!r} is neither an IP address nor a "
            "network such as 10.1.2.0/24"
        ) from error

"""Who somebody is by the headers of a trusted proxy."""

import ipaddress
from dataclasses import dataclass

from fastapi import Request

from msnode.config import Role, TrustedProxy
from msnode.config.constraints import is_address
from msnode.pages.access.roles import granted


@dataclass(frozen=True, slots=True)
class Told:
    """What the proxy says."""

    account: str
    roles: frozenset[Role]


def of_proxy(request: Request, proxy: TrustedProxy | None) -> Told | None:
    """Who the proxy says it is; None where none is configured, or somebody else speaks."""
    if proxy is None or request.client is None or not _comes_from(request.client.host, proxy):
        return None
    account = request.headers.get(proxy.user_header, "").strip()[:64]
    if not account or len(request.headers.getlist(proxy.user_header)) != 1:
        return None
    groups = request.headers.get(proxy.groups_header, "").split(",")
    return Told(account, granted((one.strip() for one in groups), proxy.roles))


def _comes_from(address: str, proxy: TrustedProxy) -> bool:
    """Whether an address is one of the proxy's."""
    if not is_address(address):
        return False
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(one, strict=False) for one in proxy.addresses)

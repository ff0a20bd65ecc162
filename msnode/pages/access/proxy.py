"""Who somebody is, and where he comes from, by the headers of a trusted proxy."""

import ipaddress
from dataclasses import dataclass

from fastapi import Request

from msnode.config import Role, TrustedProxy
from msnode.config.constraints import is_address, is_loopback
from msnode.pages.access.roles import granted
from msnode.pages.frame.site import site_of


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


def address_of(request: Request) -> str:
    """Where a request comes from: as a proxy that is trusted tells it, or the connection."""
    host = request.client.host if request.client is not None else ""
    pages = site_of(request).pages
    is_proxy = is_loopback(host) or (pages.proxy is not None and _comes_from(host, pages.proxy))
    if pages.forwarded_header is None or not is_proxy:
        return host
    told = request.headers.get(pages.forwarded_header, "").rpartition(",")[2].strip()
    return told if is_address(told) else host


def _comes_from(address: str, proxy: TrustedProxy) -> bool:
    """Whether an address is one of the proxy's."""
    if not is_address(address):
        return False
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(one, strict=False) for one in proxy.addresses)

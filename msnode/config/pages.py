"""The settings of the pages: where they are served, and who may see them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msnode.config.constraints import (
    ListeningPort,
    Network,
    OwnAddress,
    Seconds,
    SharedSecret,
    header_name,
    http_url,
    in_order,
    is_loopback,
)

Role = Literal["viewer", "clinician", "administrator"]


@dataclass(frozen=True, slots=True)
class RoleOf:
    """A group of the hospital's directory and what its members may do here."""

    group: str
    """As the login service or the proxy calls it."""
    role: Role


@dataclass(frozen=True, slots=True)
class PageTls:
    """TLS of the pages: browsers need no certificate."""

    certificate: Path
    """PEM file with our certificate chain."""
    key: Path
    """PEM file with our private key; readable by the service's user alone."""

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Key and path of each file."""
        return tuple((one.name, getattr(self, one.name)) for one in fields(self))


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """A proxy before the pages that has found out who somebody is, and says so in headers."""

    addresses: tuple[Network, ...]
    """It calls from these alone; what others say in its headers is ignored."""
    roles: tuple[RoleOf, ...]
    """Who is in none of these groups may see nothing."""
    user_header: str = "X-Forwarded-User"
    """Has the account's name."""
    groups_header: str = "X-Forwarded-Groups"
    """Has its groups, with commas."""

    def contradictions(self) -> Iterator[str]:
        """Nobody could come in."""
        if not self.addresses:
            yield "addresses: there are none; give those that the proxy calls from"
        if not self.roles:
            yield "roles: there are none, so nobody may see anything; give groups their roles"


@dataclass(frozen=True, slots=True)
class OpenIdConnect:
    """The hospital's login service (OpenID Connect Core 1.0, authorization code with PKCE)."""

    issuer: Annotated[str, http_url]
    """Its issuer URL, below which /.well-known/openid-configuration lies."""
    client_id: str
    client_secret: SharedSecret
    roles: tuple[RoleOf, ...]
    """Who is in none of these groups may see nothing."""
    groups_claim: str = "groups"
    """Claim of the ID token with the groups."""
    name_claim: str = "preferred_username"
    """Claim with the account's name; without it ``sub`` counts."""
    scope: str = "openid profile"
    ca: Path | None = None
    """What may sign its certificate (PEM); null: the authorities that the system trusts."""

    def contradictions(self) -> Iterator[str]:
        """Nobody could come in; a token that crosses the network for all to read."""
        if not self.roles:
            yield "roles: there are none, so nobody may see anything; give groups their roles"
        if "openid" not in self.scope.split():
            yield "scope: openid is missing, without which there is no ID token; add it"
        url = urlsplit(self.issuer)
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            yield "issuer: must be https: whoever reads the traffic could log in as anybody"


@dataclass(frozen=True, slots=True)
class SignedLinks:
    """Links by which PACS and RIS open one study, without a login of ours (docs/pages.md)."""

    secret: SharedSecret
    """Shared with the PACS or RIS, which signs with it: openssl rand -hex 32."""
    longest_s: Seconds = 300.0
    """A link that would hold longer is refused."""
    role: Literal["viewer", "clinician"] = "viewer"
    """Of whoever comes by a link."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages for administrators and, where ``patients`` is set, for clinicians."""

    address: OwnAddress = "127.0.0.1"
    """Address to listen on; loopback by default."""
    port: ListeningPort = 9180
    """TCP port; 0 takes a free one."""
    tls: PageTls | None = None
    """Null: plain HTTP, for this host alone or behind a proxy on it."""
    allow_http: bool = False
    """Plain HTTP at another address than loopback: only where nobody but a proxy with TLS reaches
    it, such as in the network of containers."""
    url: Annotated[str, http_url] | None = None
    """Where people's browsers find the pages, without a path; null: by address and port."""
    patients: bool = False
    """Whether patients are shown: names, results, images, records. Without it administrators see
    the node's state, and studies by their keys."""
    feedback: Literal["keep", "send"] = "keep"
    """What becomes of a reading that is finished: kept, or also sent as an SR to the destinations
    that get our SR."""
    forwarded_header: Annotated[str, header_name] | None = None
    """Header in which a proxy on this host, or at ``proxy.addresses``, says who calls, such as
    X-Forwarded-For; its last address counts. Null: the connection's. Behind a proxy without it,
    everybody has one address, so who fails to log in keeps others waiting."""
    idle_s: Seconds = 1800.0
    """A session ends after so long without a click."""
    longest_s: Seconds = 43200.0
    """And after so long in any case."""
    passwords: bool = True
    """Whether local accounts (``msnode accounts``) may log in."""
    proxy: TrustedProxy | None = None
    oidc: OpenIdConnect | None = None
    links: SignedLinks | None = None

    def contradictions(self) -> Iterator[str]:
        """Passwords and patients on the network for all to read; nobody who could come in."""
        yield from in_order(self, "idle_s", "longest_s")
        if self.tls is None and not self.allow_http and not is_loopback(self.address):
            yield (
                "tls: passwords and patients would cross the network for all to read; set it, or "
                "listen on 127.0.0.1 behind a proxy that has TLS"
            )
        if self.allow_http and (self.tls is not None or is_loopback(self.address)):
            yield "allow_http: does nothing with tls or on loopback; delete it"
        if not (self.passwords or self.proxy or self.oidc):
            yield "passwords: nobody could log in; set it, or oidc, or proxy"
        if self.feedback == "send" and not self.patients:
            yield "feedback: nobody can give any, as patients: false hides results; set that"
        if self.links is not None and not self.patients:
            yield "links: open patients' results, which patients: false hides; set that"
        if self.url is None:
            return
        url = urlsplit(self.url)
        if url.path.strip("/") or url.query or url.fragment:
            yield "url: must end with the host or the port; pages live at its root"
        if url.scheme != "https" and not is_loopback(url.hostname or ""):
            yield "url: must be https: passwords would cross the network for all to read"

    @property
    def is_https(self) -> bool:
        """Whether browsers come by https; then cookies are for https alone."""
        return self.tls is not None or (self.url or "").startswith("https:")

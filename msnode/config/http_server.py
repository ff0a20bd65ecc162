"""An HTTP server that the node calls: what all of them can be given."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from msnode.config.authorization import Authorization, ClientKey, OAuthClient
from msnode.config.constraints import Seconds, http_url, is_loopback
from msnode.config.destination import Tls, under


@dataclass(frozen=True)  # no slots: it is a second base
class HttpServer:
    """Added to a destination or source; its own field, named by ``KEY``, is the address.

    Attributes:
        KEY: of the address.
    """

    KEY: ClassVar[str]

    ca: Path | None = field(default=None, kw_only=True)
    """PEM file with what may sign its certificate; null: the system's authorities."""
    timeout_s: Seconds = field(default=10.0, kw_only=True)
    """It must take the connection, and then answer, within so long; more for what is large."""
    allow_http: bool = field(default=False, kw_only=True)
    """http to another host than this one, for a closed network segment."""
    tls: Tls | None = field(default=None, kw_only=True)
    """Null: https without a certificate of ours."""

    @property
    def address(self) -> str:
        """Its URL."""
        return str(getattr(self, self.KEY))

    @property
    def place(self) -> object:
        """By its URL."""
        return self.address.rstrip("/")

    @property
    def host(self) -> str:
        """Its host, in lower case; "" where the URL is none."""
        return urlsplit(self.address).hostname or "" if http_url(self.address) is None else ""

    @property
    def tcp_port(self) -> int:
        """Its port, also where the URL leaves it to the scheme (RFC 9110 4.2); 0 likewise."""
        usual = {"https": 443, "http": 80}
        parts = urlsplit(self.address if self.host else "")
        return parts.port or usual.get(parts.scheme, 0)

    @property
    def login(self) -> Authorization | None:
        """How the node proves who it is, besides TLS."""
        return None

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Those of TLS, and of the authorization."""
        found = list(under("tls", self.tls))
        if self.ca is not None:
            found.append(("ca", self.ca))
        if isinstance(self.login, ClientKey):
            found.append(("auth.client_key", self.login.client_key))
        return tuple(found)

    def contradictions(self) -> Iterator[str]:
        """An http or https URL without a password (RFC 9110 4.2)."""
        yield from self._url_problems(self.KEY, self.address)
        if isinstance(self.login, OAuthClient):
            yield from self._url_problems("auth.token_url", self.login.token_url)
        if self.tls is not None and self.ca is not None:
            yield "ca: does nothing beside tls, which has its own; delete it"

    def _url_problems(self, key: str, url: str) -> Iterator[str]:
        """What is wrong with an address."""
        if (problem := http_url(url)) is not None:
            yield f"{key}: {problem}"
        elif url.startswith("http:") and not (self.allow_http or is_loopback(_host(url))):
            yield f"{key}: http shows all to the network; use https, or set allow_http"


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""

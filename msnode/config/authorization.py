"""How the node proves to an HTTP server who it is (RFC 9110 11)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msnode.config.constraints import http_url, visible_ascii

Visible = Annotated[str, visible_ascii]


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password (RFC 7617)."""

    WHAT: ClassVar = "a user and password"

    user: str
    """Of the account."""
    password: str
    """Of the account."""

    def contradictions(self) -> Iterator[str]:
        """RFC 7617 2: no colon in the user, no control character in either."""
        if ":" in self.user:
            yield "user: has a colon, which no user of Basic authentication can have; take another"
        for name in ("user", "password"):
            if not getattr(self, name) or not getattr(self, name).isprintable():
                yield f"{name}: is empty, or holds a control character; correct it"


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that does not change (RFC 6750)."""

    WHAT: ClassVar = "a bearer token"

    bearer: Visible
    """The token."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """OAuth 2.0 client credentials (RFC 6749 4.4): what is sent for a token that runs out."""

    token_url: Annotated[str, http_url]
    """The token endpoint. Its certificate is verified like the server's."""
    client_id: Visible
    """Under which the authorization server knows the node."""
    scope: str = field(default="", kw_only=True)
    """What is asked for, as the server names it; "": what it gives."""


@dataclass(frozen=True, slots=True)
class ClientSecret(OAuthClient):
    """The client proves itself with a secret, by Basic authentication (RFC 6749 2.3.1)."""

    WHAT: ClassVar = "a client with a secret"

    client_secret: Visible
    """Shared with the authorization server."""


@dataclass(frozen=True, slots=True)
class ClientKey(OAuthClient):
    """The client signs a JWT (RFC 7523 2.2), as SMART Backend Services has it.

    https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
    """

    WHAT: ClassVar = "a client with a key"

    client_key: Path
    """PEM file with the private key: RSA of 2048 bits or more, or of the curve P-384."""
    key_id: Visible | None = None
    """``kid`` of the public key that the server knows."""
    algorithm: Literal["RS384", "ES384"] = "RS384"
    """Of the signature (RFC 7518 3)."""


Authorization = Basic | Bearer | ClientSecret | ClientKey

AUTHORIZATION_KEYS = {
    "user": Basic,
    "bearer": Bearer,
    "client_secret": ClientSecret,
    "client_key": ClientKey,
}
"""The key in a file that makes an authorization one of its kind."""

GIVE_AUTHORIZATION = (
    "one of user and password, bearer, token_url with client_id and client_secret, or token_url "
    "with client_id and client_key"
)
"""What an authorization needs in a file to be one."""

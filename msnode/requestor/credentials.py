"""The Authorization header (RFC 9110 11.6.2): a password, a token, or one that is asked for."""

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from msnode.config import Basic, Bearer, ClientKey, ClientSecret, HttpServer, OAuthClient
from msnode.errors import ConfigError, TryLater
from msnode.requestor.http_answer import Answer

Ask = Callable[[HttpServer, str, bytes, dict[str, str]], Answer]
"""POSTs a body with headers to a token endpoint."""

FEWEST_BITS = {"RS384": 2048, "ES384": 384}
"""Of a key (RFC 7518 3.3, 3.4)."""
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_S = 300
"""A signed JWT is good for so long (SMART Backend Services: five minutes at most)."""
EARLY_S = 30.0
"""A token is not used in its last seconds, as the request with it may take some."""
USUAL_S = 300.0
"""A token of which the server does not say how long it is good."""
LONGEST_S = 366 * 86400
"""More than this is no time."""
ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
     "unsupported_grant_type", "invalid_scope"}
)  # fmt: skip
"""What a token endpoint may say is wrong (RFC 6749 5.2); anything else is not repeated."""


@dataclass(frozen=True, slots=True)
class _Token:
    """An access token, and until when it is used (monotonic seconds)."""

    value: str
    until: float


_tokens: dict[OAuthClient, _Token] = {}
"""Of this process; two threads that miss one both ask, which does no harm."""


def header(server: HttpServer, ask: Ask) -> dict[str, str]:
    """The header that proves who we are; none where the server wants none.

    Raises:
        TryLater: the authorization server gives no token.
        ConfigError: the key cannot be used.
    """
    login = server.login
    if isinstance(login, Basic):
        return {"Authorization": _basic(login.user, login.password)}
    if isinstance(login, Bearer):
        return {"Authorization": f"Bearer {login.bearer}"}
    if isinstance(login, ClientSecret | ClientKey):
        return {"Authorization": f"Bearer {_token(server, login, ask)}"}
    return {}


def forget(server: HttpServer, refused: Mapping[str, str]) -> bool:
    """Drop a token that the server did not take; False where it is none that can be renewed."""
    login = server.login
    if not isinstance(login, OAuthClient):
        return False
    known = _tokens.get(login)
    if known is not None and refused.get("Authorization") == f"Bearer {known.value}":
        _tokens.pop(login, None)
    return True


def _token(server: HttpServer, login: ClientSecret | ClientKey, ask: Ask) -> str:
    """A token that is still good, or a new one."""
    known = _tokens.get(login)
    if known is None or known.until <= time.monotonic():
        known = _tokens[login] = _asked(server, login, ask)
    return known.value


def _asked(server: HttpServer, login: ClientSecret | ClientKey, ask: Ask) -> _Token:
    """Ask the token endpoint."""
    began = time.monotonic()
    form = {"grant_type": "client_credentials"} | ({"scope": login.scope} if login.scope else {})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if isinstance(login, ClientSecret):  # RFC 6749 2.3.1: both are encoded like a form first
        names = quote_plus(login.client_id), quote_plus(login.client_secret)
        headers["Authorization"] = _basic(*names)
    else:
        form |= {"client_assertion_type": ASSERTION, "client_assertion": assertion(login)}
    try:
        answer = ask(server, login.token_url, urlencode(form).encode(), headers)
    except TryLater as trouble:
        raise TryLater(f"the authorization server gives {trouble}") from trouble
    said = _read(answer)
    value, seconds = said.get("access_token"), said.get("expires_in", USUAL_S)
    if answer.status != 200 or not isinstance(value, str) or not _is_token(value):
        error = said.get("error")
        why = f" {error}" if isinstance(error, str) and error in ERRORS else ""
        raise TryLater(f"the authorization server gives no token: {answer.detail}{why}")
    is_time = isinstance(seconds, int | float) and 0 < seconds < LONGEST_S
    good_s = float(seconds) if is_time else USUAL_S
    return _Token(value, began + max(good_s - EARLY_S, good_s / 2))


def _read(answer: Answer) -> dict[str, Any]:
    """The members of a JSON object; none where it is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_token(value: str) -> bool:
    return value.isascii() and value.isprintable() and bool(value) and " " not in value


def _basic(user: str, password: str) -> str:
    """RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def assertion(login: ClientKey) -> str:
    """A JWT that says who we are, for one use (RFC 7523 3).

    Raises:
        ConfigError: the key cannot be read, or is none for the algorithm.
    """
    now = int(time.time())
    claims = {
        "iss": login.client_id,
        "sub": login.client_id,
        "aud": login.token_url,
        "iat": now,
        "exp": now + ASSERTION_S,
        "jti": str(uuid.uuid4()),
    }
    headers = {"kid": login.key_id} if login.key_id else {}
    try:
        key: Any = load_pem_private_key(login.client_key.read_bytes(), None)
        if getattr(key, "key_size", 0) < FEWEST_BITS[login.algorithm]:
            raise ValueError("too short")
        return jwt.encode(claims, key, login.algorithm, headers)
    except (OSError, jwt.PyJWTError, UnsupportedAlgorithm, TypeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"no key for {login.algorithm}"
        raise ConfigError(
            f"auth.client_key: {login.client_key} cannot be used: {why}; give a PEM file with an "
            "unencrypted private key of that kind"
        ) from error

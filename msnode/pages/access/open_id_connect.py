"""Logging in by the hospital's login service (OpenID Connect Core 1.0 3.1, PKCE: RFC 7636)."""

import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from http import HTTPStatus
from typing import Annotated, Any

import httpx2
import jwt
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from msnode.config import OpenIdConnect
from msnode.errors import MsnodeError
from msnode.pages.access import sessions
from msnode.pages.access.login import own_path
from msnode.pages.access.proxy import address_of
from msnode.pages.access.roles import granted
from msnode.pages.access.second_factor import page_key
from msnode.pages.frame.problems import Forbidden, NotFound, PageProblem
from msnode.pages.frame.site import AnySite, Site
from msnode.tls import trusting

log = logging.getLogger(__name__)
router = APIRouter()

COOKIE = "msnode-oidc"
TIME_S = 10.0
"""For each answer of the login service."""
LOGIN_S = 600
"""For the person to log in there."""
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Asymmetric ones only: a token may not be signed with what it is verified by."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
AWAY = (httpx2.HTTPError, AuthlibBaseError, jwt.PyJWTError, KeyError, ValueError, TypeError)
"""What the service's answers may be."""


class ServiceAway(PageProblem):
    """The login service does not answer, or not as it should."""

    status = HTTPStatus.BAD_GATEWAY
    phrase = "login_service"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a log-in that has begun must come back with.

    Attributes:
        to: path to go on to.
    """

    state: str
    nonce: str
    verifier: str
    to: str


@router.get("/oidc")
def begin(site: AnySite, to: Annotated[str, Query(max_length=512)] = "/") -> Response:
    """Send the browser to the login service."""
    settings = _settings(site)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    begun = Begun(state, nonce, verifier, own_path(to))
    with _client(site, settings) as client:
        try:
            place = _discovered(client, settings)["authorization_endpoint"]
        except AWAY as error:
            raise _away(error) from error
        url, _ = client.create_authorization_url(
            place, state=begun.state, nonce=begun.nonce, code_verifier=begun.verifier
        )
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    sealed = page_key(site.config.data).encrypt(json.dumps(astuple(begun)).encode()).decode()
    _set(response, site, sealed)
    return response


@router.get("/oidc/back")
def come_back(
    request: Request,
    site: AnySite,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """Take who the login service says it is."""
    settings = _settings(site)
    begun = _begun(page_key(site.config.data), request.cookies.get(_name(site), ""))
    if begun is None or not code or not hmac.compare_digest(state.encode(), begun.state.encode()):
        raise Forbidden
    try:
        claims = _claims(site, settings, begun, code)
        account = str(claims.get(settings.name_claim) or claims["sub"])[:64]
    except AWAY as error:
        raise _away(error) from error
    roles = granted(_groups(claims.get(settings.groups_claim)), settings.roles)
    address = address_of(request)
    site.trail.authenticated(account, address, succeeded=bool(roles))
    if not roles:
        raise Forbidden
    response = RedirectResponse(begun.to, HTTPStatus.SEE_OTHER)
    sessions.set_cookie(response, site, sessions.begin(site, account, roles, "oidc"))
    _set(response, site, "")
    return response


def base_url(site: Site) -> str:
    """Where browsers find the pages, without a slash at its end."""
    pages = site.pages
    scheme = "https" if pages.tls is not None else "http"
    return (pages.url or f"{scheme}://{pages.address}:{pages.port}").rstrip("/")


def try_out(settings: OpenIdConnect) -> None:
    """Ask the service what it can do.

    Raises:
        MsnodeError: it does not answer, or not as it should.
    """
    with OAuth2Client(timeout=TIME_S, verify=trusting(settings.ca), trust_env=False) as client:
        try:
            told = _discovered(client, settings)
            missing = [name for name in ENDPOINTS if name not in told]
        except AWAY as error:
            raise MsnodeError(f"{settings.issuer}: {type(error).__name__}: {error}") from error
    if missing:
        raise MsnodeError(f"{settings.issuer} does not tell its {missing[0]}")


def _settings(site: Site) -> OpenIdConnect:
    """The login service.

    Raises:
        NotFound: none is configured.
    """
    if site.pages.oidc is None:
        raise NotFound
    return site.pages.oidc


def _client(site: Site, settings: OpenIdConnect) -> OAuth2Client:
    """Speaks with the service."""
    return OAuth2Client(
        settings.client_id,
        settings.client_secret,
        redirect_uri=f"{base_url(site)}/oidc/back",
        scope=settings.scope,
        code_challenge_method="S256",
        timeout=TIME_S,
        verify=trusting(settings.ca),
        trust_env=False,
    )


def _discovered(client: OAuth2Client, settings: OpenIdConnect) -> dict[str, Any]:
    """The service's description of itself (OpenID Connect Discovery 1.0 4)."""
    place = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
    told = _got(client, place)
    if told["issuer"] != settings.issuer:
        raise ValueError(f"it calls itself {str(told['issuer'])[:200]}")
    return told


def _got(client: OAuth2Client, url: str) -> dict[str, Any]:
    """A document of the service."""
    answer = client.request("GET", url, withhold_token=True).raise_for_status()
    told = answer.json()
    if not isinstance(told, dict):
        raise TypeError(url)
    return told


def _claims(site: Site, settings: OpenIdConnect, begun: Begun, code: str) -> Mapping[str, Any]:
    """What the ID token says, verified (OpenID Connect Core 1.0 3.1.3.7)."""
    with _client(site, settings) as client:
        told = _discovered(client, settings)
        token = client.fetch_token(told["token_endpoint"], code=code, code_verifier=begun.verifier)[
            "id_token"
        ]
        keys = _got(client, told["jwks_uri"])
    wanted = jwt.get_unverified_header(token).get("kid")
    found = [k for k in jwt.PyJWKSet.from_dict(keys).keys if wanted in (None, k.key_id)]
    claims: dict[str, Any] = jwt.decode(
        token,
        found[0] if found else "",
        ALGORITHMS,
        audience=settings.client_id,
        issuer=settings.issuer,
        leeway=60,
        options={"require": ["exp", "iat", "sub", "aud", "iss"]},
    )
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
        raise ValueError("nonce")
    return claims


def _groups(claim: object) -> list[str]:
    """A claim with one group or several; whatever else it is names none."""
    several = claim if isinstance(claim, list) else [claim]
    return [one for one in several if isinstance(one, str)]


def _away(error: Exception) -> ServiceAway:
    """Its message may quote a token, so it stays here."""
    log.error("login service fails error=%s", type(error).__name__)
    return ServiceAway()


def _begun(key: Fernet, sealed: str) -> Begun | None:
    """What the cookie holds; None where there is none, it is not ours or too old."""
    try:
        return Begun(*json.loads(key.decrypt(sealed.encode(), ttl=LOGIN_S)))
    except InvalidToken:
        return None


def _name(site: Site) -> str:
    return f"__Host-{COOKIE}" if site.pages.is_https else COOKIE


def _set(response: Response, site: Site, sealed: str) -> None:
    """Hand the cookie over, or take it away."""
    age = LOGIN_S if sealed else 0
    secure = site.pages.is_https
    response.set_cookie(_name(site), sealed, age, secure=secure, httponly=True, samesite="lax")

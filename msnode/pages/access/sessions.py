"""Sessions: a random cookie, of which the database has the hash, and when it was last seen."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from msnode.config import Role
from msnode.pages.access.proxy import of_proxy
from msnode.pages.access.roles import joined, parted
from msnode.pages.frame.site import Site, site_of
from msnode.store.page_tables import accounts, page_sessions

Via = Literal["password", "oidc", "proxy", "link"]
SEEN_S = 30.0
"""A session's last click is put on record no more often."""
BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in.

    Attributes:
        account: name.
        roles: of it when it logged in.
        via: how.
        csrf: token that its forms carry.
        study_key: that alone it may see; None: all.
    """

    account: str
    roles: frozenset[Role]
    via: Via
    csrf: str
    study_key: str | None = None


def cookie_name(site: Site) -> str:
    """With https a name that no other host of the domain can set (RFC 6265bis 4.1.3)."""
    return "__Host-msnode" if site.pages.is_https else "msnode"


async def current(request: Request) -> Session | None:
    """The session of a request; None where there is none, or it has ended."""
    site = site_of(request)
    if (told := of_proxy(request, site.pages.proxy)) is not None:
        token = hmac.new(site.secret, f"proxy {told.account}".encode(), "sha256").hexdigest()
        return Session(told.account, told.roles, "proxy", csrf_of(token))
    token = request.cookies.get(cookie_name(site), "")
    return await run_in_threadpool(_found, site, token) if token else None


async def lasts(request: Request) -> bool:
    """Whether the session of a request, begun long ago, still lasts; asking is no click."""
    site = site_of(request)
    if of_proxy(request, site.pages.proxy) is not None:
        return True
    token = request.cookies.get(cookie_name(site), "")
    return bool(token) and await run_in_threadpool(_found, site, token, False) is not None


def begin(
    site: Site, account: str, roles: frozenset[Role], via: Via, study_key: str | None = None
) -> str:
    """Begin a session; returns the cookie's value."""
    token, now = secrets.token_urlsafe(BYTES), time.time()
    row = {
        "token_hash": _hash(token), "account": account, "roles": joined(roles), "via": via,
        "study_key": study_key, "began_at": now, "seen_at": now,
    }  # fmt: skip
    with site.database.begin() as connection:
        connection.execute(page_sessions.delete().where(_over(site, now)))
        connection.execute(page_sessions.insert(), row)
    return token


def end(site: Site, token: str) -> None:
    """End a session."""
    with site.database.begin() as connection:
        this = page_sessions.c.token_hash == _hash(token)
        connection.execute(page_sessions.delete().where(this))


def set_cookie(response: Response, site: Site, token: str) -> None:
    """Hand the cookie over; "" takes it away."""
    secure = site.pages.is_https
    name = cookie_name(site)
    if token:
        response.set_cookie(name, token, secure=secure, httponly=True, samesite="lax")
    else:
        response.delete_cookie(name, secure=secure, httponly=True, samesite="lax")


def csrf_of(token: str) -> str:
    """The token of a session's forms, which does not tell the cookie."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _over(site: Site, now: float) -> sa.ColumnElement[bool]:
    """Sessions that have ended by themselves."""
    columns, pages = page_sessions.c, site.pages
    return sa.or_(columns.seen_at < now - pages.idle_s, columns.began_at < now - pages.longest_s)


def _found(site: Site, token: str, is_click: bool = True) -> Session | None:
    """The session of a cookie; its account may have been changed since it began."""
    now, columns = time.time(), page_sessions.c
    local = sa.and_(columns.via == "password", accounts.c.name == columns.account)
    query = (
        sa.select(page_sessions, accounts.c.disabled, accounts.c.changed_at)
        .outerjoin(accounts, local)
        .where(columns.token_hash == _hash(token), ~_over(site, now))
    )
    with site.database.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or not _still_holds(row):
        return None
    if is_click and now - row.seen_at > SEEN_S:
        with site.database.begin() as connection:
            this = columns.token_hash == row.token_hash
            connection.execute(page_sessions.update().where(this).values(seen_at=now))
    return Session(row.account, parted(row.roles), row.via, csrf_of(token), row.study_key)


def _still_holds(row: sa.Row[tuple[object, ...]]) -> bool:
    """Whether the account of a session still is as it was when it logged in."""
    if row.via != "password":
        return True
    return row.disabled is False and row.changed_at <= row.began_at

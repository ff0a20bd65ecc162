"""Whom the node tells by mail or chat that something is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msnode.config.constraints import Host, Port, Seconds, in_order, mail_address


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server (RFC 5321) and who gets mail from the node."""

    host: Host
    """Of the server."""
    to: tuple[Annotated[str, mail_address], ...]
    """Who gets it: administrators, not clinicians."""
    sender: Annotated[str, mail_address]
    """In From."""
    port: Port = 587
    """587 for submission (RFC 6409), 465 with ``security: tls``, 25 between servers."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """none: anybody on the way can read it, and a password with it; for a closed segment."""
    user: str = ""
    """Of the account, where the server asks for one."""
    password: str = ""
    """Of the account."""
    ca: Path | None = None
    """PEM file with what may sign its certificate; null: the system's authorities."""

    def contradictions(self) -> Iterator[str]:
        """Nobody to write to; half an account, or one that everybody can read."""
        if not self.to:
            yield "to: nobody would get mail; name an address"
        if bool(self.user) != bool(self.password):
            yield "user: needs a password, and a password a user; give both or none"
        for name in ("user", "password"):
            if not getattr(self, name).isascii():
                yield f"{name}: has letters beyond ASCII, which SMTP logins do not take; change it"
        if self.security == "none" and self.password:
            yield "password: would go over the network for all to read; set security to starttls"
        if self.security == "none" and self.ca is not None:
            yield "ca: does nothing with security: none; delete it"


@dataclass(frozen=True, slots=True)
class Chat:
    """An incoming webhook of a chat."""

    url: str
    """As the chat gives it; who knows it can write there, so take it from the environment."""
    form: Literal["slack", "mattermost", "teams"]
    """What the chat takes: slack and mattermost a text in Markdown of their own, teams (a workflow
    that posts to a channel) an Adaptive Card."""
    ca: Path | None = None
    """PEM file with what may sign its certificate; null: the system's authorities."""

    def contradictions(self) -> Iterator[str]:
        """The address is a secret, so it only goes over TLS."""
        try:
            parts = urlsplit(self.url)
            sound = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            yield "url: is no address of a chat's webhook; write https://HOST/PATH"


@dataclass(frozen=True, slots=True)
class Notices:
    """Notices of what is wrong with the node. They name no patient."""

    mail: tuple[Mail, ...] = ()
    chat: tuple[Chat, ...] = ()
    pause_s: Seconds = 900.0
    """Between two notices to the same mail server or chat; what happens meanwhile is collected."""
    again_s: Seconds = 86400.0
    """After so long what is still wrong is told again."""

    def contradictions(self) -> Iterator[str]:
        """Times of which the second must not be the shorter one."""
        yield from in_order(self, "pause_s", "again_s")

"""TLS by BCP 195 (RFC 9325) and PS3.15 B.12: 1.2 or later, forward secrecy, both sides proven."""

import logging
import socket
import ssl
from pathlib import Path
from typing import Any

from msnode import config, metrics
from msnode.errors import ConfigError

log = logging.getLogger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 suites of RFC 9325 4.2; those of TLS 1.3 are all acceptable."""

IDENTITIES = ("DNS", "IP Address", "email")
"""Kinds of subjectAltName (RFC 5280 4.2.1.6) that name a peer, as Python's ssl calls them."""


def client_context(tls: config.Tls) -> ssl.SSLContext:
    """To call a server, whose certificate must be for the name it is called by.

    Raises:
        ConfigError: a file is missing, unreadable or no PEM of its kind.
    """
    return _prepared(ssl.PROTOCOL_TLS_CLIENT, tls, "tls")


def names_of(sock: socket.socket) -> frozenset[str]:
    """The peer's names in its certificate, by RFC 9525 6.3.

    These are dNSName, iPAddress and rfc822Name of subjectAltName. The CN, which is no longer
    an identity, counts only in a certificate without subjectAltName.
    """
    if not isinstance(sock, ssl.SSLSocket):
        return frozenset()
    certificate: Any = sock.getpeercert() or {}
    alternatives = certificate.get("subjectAltName", ())
    if names := [name for kind, name in alternatives if kind in IDENTITIES]:
        return frozenset(names)
    pairs = [pair for group in certificate.get("subject", ()) for pair in group]
    return frozenset(name for key, name in pairs if key == "commonName" and not alternatives)


def trusting(ca: Path | None) -> ssl.SSLContext:
    """To call a server without a certificate of ours; its own and its name are verified.

    Args:
        ca: PEM file with what may sign its certificate; None: the system's authorities.

    Raises:
        ConfigError: the file is missing, unreadable or no PEM.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"ca: {ca} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class ServerTls:
    """To be called; a peer without a trusted certificate is turned away.

    Follows the files: a new handshake uses what lay there at the last ``refresh``. What is open
    goes on as it is.

    Args:
        tls: the files.
        where: the key of their section.
        is_mutual: a peer must have a certificate; else it may, and one that it shows must be
            trusted.

    Raises:
        ConfigError: as ``client_context``.
    """

    def __init__(
        self, tls: config.Tls, where: str = "receive.tls", *, is_mutual: bool = True
    ) -> None:
        self._tls = tls
        self._where = where
        self._is_mutual = is_mutual
        self._stale = metrics.TLS_STALE.labels(where)
        self._seen = self._state()
        self.context = self._load()
        self._stale.set(0)

    def refresh(self) -> None:
        """Load the files again if they were changed; if they cannot be used, keep what we have."""
        seen = self._state()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.context = self._load()
        except ConfigError as error:
            self._stale.set(1)
            log.error("new TLS files cannot be used, the old ones stay in use error=%s", error)
        else:
            self._stale.set(0)
            log.info("new TLS files are in use")

    def _load(self) -> ssl.SSLContext:
        context = _prepared(ssl.PROTOCOL_TLS_SERVER, self._tls, self._where)
        context.verify_mode = ssl.CERT_REQUIRED if self._is_mutual else ssl.CERT_OPTIONAL
        return context

    def _state(self) -> list[tuple[int, ...] | None]:
        """What tells a file from a later one in its place, or with other permissions."""
        states: list[tuple[int, ...] | None] = []
        for path in (self._tls.certificate, self._tls.key, self._tls.ca):
            try:
                status = path.stat()
            except OSError:
                states.append(None)
            else:
                states.append((status.st_ino, status.st_size, status.st_ctime_ns))
        return states


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal, for which a service would wait for ever.

    Raises:
        ConfigError: always.
    """
    raise ConfigError("the key is encrypted; decrypt it: openssl pkey -in KEY -out PLAIN")


def _prepared(side: int, tls: config.Tls, where: str) -> ssl.SSLContext:
    """What both sides have in common."""
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_verify_locations(tls.ca)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{where}: {tls.ca} cannot be used: {error}") from error
    try:
        context.load_cert_chain(tls.certificate, tls.key, _no_password)
    except (OSError, ConfigError) as error:
        raise ConfigError(
            f"{where}: {tls.certificate}, or {tls.key}, cannot be used: {error}"
        ) from error
    return context

"""TLS by BCP 195 (RFC 9325) and PS3.15 B.12: 1.2 or later, forward secrecy, both sides proven."""

import logging
import ssl

from msnode import config, metrics
from msnode.errors import ConfigError

log = logging.getLogger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 suites of RFC 9325 4.2; those of TLS 1.3 are all acceptable."""


def client_context(tls: config.Tls) -> ssl.SSLContext:
    """To call a server, whose certificate must be for the name it is called by.

    Raises:
        ConfigError: a file is missing, unreadable or no PEM of its kind.
    """
    return _prepared(ssl.PROTOCOL_TLS_CLIENT, tls, "tls")


class ServerTls:
    """To be called; a peer without a trusted certificate is turned away.

    Follows the files: a new handshake uses what lay there at the last ``refresh``. What is open
    goes on as it is.

    Raises:
        ConfigError: as ``client_context``.
    """

    def __init__(self, tls: config.Tls) -> None:
        self._tls = tls
        self._seen = self._state()
        self.context = self._load()
        metrics.TLS_STALE.set(0)

    def refresh(self) -> None:
        """Load the files again if they were changed; if they cannot be used, keep what we have."""
        seen = self._state()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.context = self._load()
        except ConfigError as error:
            metrics.TLS_STALE.set(1)
            log.error("new TLS files cannot be used, the old ones stay in use error=%s", error)
        else:
            metrics.TLS_STALE.set(0)
            log.info("new TLS files are in use")

    def _load(self) -> ssl.SSLContext:
        context = _prepared(ssl.PROTOCOL_TLS_SERVER, self._tls, "receive.tls")
        context.verify_mode = ssl.CERT_REQUIRED
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

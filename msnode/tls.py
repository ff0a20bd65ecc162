"""TLS by BCP 195 (RFC 9325) and PS3.15 B.12: 1.2 or later, forward secrecy, both sides proven."""

import ssl

from msnode import config
from msnode.errors import ConfigError

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 suites of RFC 9325 4.2; those of TLS 1.3 are all acceptable."""


def client_context(tls: config.Tls) -> ssl.SSLContext:
    """To call a server, whose certificate must be for the name it is called by.

    Raises:
        ConfigError: a file is missing, unreadable or no PEM of its kind.
    """
    return _prepared(ssl.PROTOCOL_TLS_CLIENT, tls)


def server_context(tls: config.Tls) -> ssl.SSLContext:
    """To be called; a peer without a trusted certificate is turned away.

    Raises:
        ConfigError: as ``client_context``.
    """
    context = _prepared(ssl.PROTOCOL_TLS_SERVER, tls)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _prepared(side: int, tls: config.Tls) -> ssl.SSLContext:
    """What both sides have in common."""
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_verify_locations(tls.ca)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"tls: {tls.ca} cannot be used: {error}") from error
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        raise ConfigError(
            f"tls: {tls.certificate}, or {tls.key}, cannot be used: {error}"
        ) from error
    return context

"""Whom the node trusts when it calls a mail server or a chat."""

import ssl
from pathlib import Path

from msnode.errors import ConfigError


def trusting(ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, the certificate and its name verified.

    Args:
        ca: PEM file with the authorities; None: the system's.

    Raises:
        ConfigError: the file is missing, unreadable or no PEM.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"ca: {ca} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

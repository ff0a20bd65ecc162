"""TLS for the listener by BCP 195 (PS3.15 B.12): both sides show a certificate of the site's CA."""

import ssl

from msnode import config
from msnode.errors import ConfigError


def server_context(tls: config.Tls) -> ssl.SSLContext:
    """TLS 1.2 or later with forward secrecy; a peer without a trusted certificate is turned away.

    Raises:
        ConfigError: a file cannot be read or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        context.load_verify_locations(tls.ca)
    except OSError as error:
        raise ConfigError(f"receive.tls: certificate, key or ca cannot be used: {error}") from error
    return context

"""Serves the pages: one process, one event loop, a bound on everything that others may take."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from msnode import audit
from msnode.config import Config, PageTls
from msnode.errors import ConfigError
from msnode.pages.app import create_app
from msnode.pages.frame.site import Site
from msnode.store.database import open_database
from msnode.store.patients import patient_secret
from msnode.store.schema import migrate

log = logging.getLogger(__name__)

HEADERS_S = 10.0
"""A connection whose request has not come by then is cut."""
HEADER_BYTES = 32 * 1024
IDLE_S = 15
"""A connection is kept for the next request so long."""
GRACE_S = 3
"""At a stop, for answers under way."""


class _Impatient(H11Protocol):
    """HTTP/1.1; whoever opens a connection and says nothing does not keep it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.loop.call_later(HEADERS_S, self._cut_if_silent)

    def _cut_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.abort()


def serve(site: Site, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    context = _context(site.pages.tls) if site.pages.tls is not None else None
    config = uvicorn.Config(
        create_app(site),
        http=_Impatient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # paths name studies
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEADER_BYTES,
        ssl_context_factory=(lambda *_: context) if context is not None else None,
    )
    log.info("pages ready port=%d", sock.getsockname()[1])
    uvicorn.Server(config).run([sock])


@contextmanager
def opened(config: Config, config_file: Path) -> Iterator[Site]:
    """The site of a node, whether the node runs or not."""
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_database(config.database_url)
    try:
        migrate(database)
        trail = audit.open_trail(config, "pages")
        try:
            secret = patient_secret(config.data / "patient.key")
            yield Site(config, config_file, database, secret, trail)
        finally:
            trail.close()
    finally:
        database.dispose()


def _context(tls: PageTls) -> ssl.SSLContext:
    """For browsers (RFC 9325).

    Raises:
        ConfigError: a file is missing or no PEM of its kind.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"pages.tls: {tls.certificate}, {tls.key}: {error}") from error
    return context

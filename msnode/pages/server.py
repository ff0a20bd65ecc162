"""Serves the pages: one process, one event loop, a bound on everything that others may take."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from msnode.config import Config, PageTls
from msnode.errors import ConfigError
from msnode.manage.audited_database import with_trail
from msnode.pages.app import create_app
from msnode.pages.frame.site import Site
from msnode.store.patients import patient_secret

log = logging.getLogger(__name__)

HEADERS_S = 10.0
"""A connection whose request has not come by then is cut."""
HEADER_BYTES = 32 * 1024
IDLE_S = 15
"""A connection is kept for the next request so long."""
GRACE_S = 3
"""At a stop, for answers under way."""
MAX_CONNECTIONS = 256
"""At once; of more, the one silent for longest goes, first of those that have nothing under way:
answers take milliseconds, and uploads are not silent for long."""
RENEW_TICKS = 600
"""Ticks of a tenth of a second between looks whether there is a new certificate."""


class Impatient(H11Protocol):
    """HTTP/1.1; whoever opens a connection and says nothing does not keep it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.heard_at = self.loop.time()
        if len(self.connections) > MAX_CONNECTIONS:
            others = [one for one in self.connections if isinstance(one, Impatient)]
            min(others, key=lambda one: (one.is_busy, one.heard_at)).transport.abort()
        self.loop.call_later(HEADERS_S, self._cut_if_silent)

    def data_received(self, data: bytes) -> None:
        """Note when."""
        self.heard_at = self.loop.time()
        super().data_received(data)

    @property
    def is_busy(self) -> bool:
        """Whether a request came that has not been answered in full."""
        return self.cycle is not None and not self.cycle.response_complete

    def _cut_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.abort()


class PageServerTls:
    """TLS for browsers (RFC 9325), with the certificate that lies there now.

    Raises:
        ConfigError: a file is missing or no PEM of its kind.
    """

    def __init__(self, tls: PageTls) -> None:
        self._tls = tls
        self._seen = self._state()
        self.context = self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def refresh(self) -> None:
        """Take new files; if they cannot be used, keep what we have."""
        if self._state() == self._seen:
            return
        self._seen = self._state()
        try:
            self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # both files fit each other
            self._loaded(self.context)
        except ConfigError as error:
            log.error("new TLS files cannot be used, the old ones stay in use error=%s", error)
        else:
            log.info("new TLS files are in use")

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._tls.certificate, self._tls.key)
        except OSError as error:  # ssl.SSLError is one
            paths = ", ".join(str(path) for _, path in self._tls.files)
            raise ConfigError(f"pages.tls: {paths}: {error}") from error
        return context

    def _state(self) -> list[int]:
        """What tells a file from a later one in its place."""
        return [path.stat().st_ctime_ns if path.exists() else 0 for _, path in self._tls.files]


class _Server(uvicorn.Server):
    """Looks for a new certificate now and then, and ends soon when it is told to."""

    def __init__(self, config: uvicorn.Config, renewed: PageServerTls | None) -> None:
        super().__init__(config)
        self._renewed = renewed

    async def on_tick(self, counter: int) -> bool:
        """Every tenth of a second; returns whether to stop."""
        if self._renewed is not None and counter % RENEW_TICKS == 0:
            self._renewed.refresh()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let answers that would go on for hours end now."""
        assert isinstance(self.config.app, FastAPI)  # noqa: S101 - so it was made
        self.config.app.state.ending.set()
        await super().shutdown(sockets)


def serve(site: Site, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    renewed = PageServerTls(site.pages.tls) if site.pages.tls is not None else None
    config = uvicorn.Config(
        create_app(site),
        http=Impatient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # paths name studies
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEADER_BYTES,
        ssl_context_factory=(lambda *_: renewed.context) if renewed is not None else None,
    )
    log.info("pages ready port=%d", sock.getsockname()[1])
    _Server(config, renewed).run([sock])


@contextmanager
def opened(config: Config, config_file: Path) -> Iterator[Site]:
    """The site of a node, whether the node runs or not."""
    with with_trail(config, "pages") as (database, trail):
        secret = patient_secret(config.data / "patient.key")
        yield Site(config, config_file, database, secret, trail)

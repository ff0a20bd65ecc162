"""What the administrator's pages work with beside the site: watches, jobs, uploads."""

import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from msnode.engine.jobs import Counts, Jobs
from msnode.manage.node_state import NodeState, StateReader
from msnode.manage.study_labels import Labelling, Labels
from msnode.pages.admin.live_streams import Streams
from msnode.pages.admin.node_watch import NodeWatch
from msnode.pages.admin.peer_watch import PeerWatch
from msnode.pages.admin.uploads import Uploads
from msnode.pages.frame.site import Site
from msnode.store.disk_space import DiskSpace

log = logging.getLogger(__name__)

FRESH_S = 2.0
"""The state is read no more often, however many look at it."""
TIDY_S = 10.0


class Services:
    """Made with the application; its threads run between `start` and `stop`.

    Args:
        site: of the pages.

    Attributes:
        node: what the running node says.
        peers: who answers.
        room: on the disk.
        labels: of studies.
        streams: live pages under way.
        uploads: files that people bring.
    """

    def __init__(self, site: Site) -> None:
        config = site.config
        self._site = site
        self.node = NodeWatch(config.http)
        self.peers = PeerWatch(config)
        limits = config.receive
        self.room = DiskSpace(config.data, limits.warn_free_bytes, limits.min_free_bytes)
        self.labels = Labels(site.database, config.data)
        self.streams = Streams()
        self.uploads = Uploads(site, self.room)
        self._labelling = Labelling(self.labels)
        self._states = StateReader(site.database, config.data, self.room)
        self._tidying = threading.Thread(target=self._tidy, name="tidy", daemon=True)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._jobs: Jobs | None = None
        self._known: tuple[NodeState, Counts] | None = None

    def start(self) -> None:
        """Begin to watch and to label."""
        self.node.start()
        self.peers.start()
        self._tidying.start()
        if self._site.pages.patients:
            self._labelling.start()
        elif gone := self.labels.drop_all():
            log.info("labels deleted as pages.patients is false number=%d", gone)

    def stop(self) -> None:
        """End what has begun."""
        self._stopping.set()
        self.node.stop()
        self.peers.stop()
        self.uploads.close()
        if self._site.pages.patients:
            self._labelling.stop()
        with self._lock:
            if self._jobs is not None:
                self._jobs.close()
                self._jobs = None

    def _tidy(self) -> None:
        """End what was left without a word."""
        while not self._stopping.wait(TIDY_S):
            self.uploads.end_idle()

    def jobs(self) -> Jobs | None:
        """The jobs; None as long as no node has ever worked."""
        with self._lock:
            if self._jobs is None and Jobs.exist(self._site.database):
                self._jobs = Jobs(self._site.database)
            return self._jobs

    def state(self) -> tuple[NodeState, Counts]:
        """The state of the node and of its jobs, a moment old at most."""
        jobs = self.jobs()
        with self._lock:
            if self._known is None or time.time() - self._known[0].at > FRESH_S:
                counts = jobs.counts() if jobs is not None else Counts({}, None)
                self._known = self._states.read(), counts
            return self._known


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """The services of an application, as long as it runs."""
    services = Services(app.state.site)
    app.state.admin = services
    await run_in_threadpool(services.start)
    try:
        yield
    finally:
        await run_in_threadpool(services.stop)


def services_of(request: Request) -> Services:
    """Of the application that a request came to."""
    services: Services = request.app.state.admin
    return services


AdminServices = Annotated[Services, Depends(services_of)]
"""Of a route's function: the services."""

"""Tells the metrics what the process of the shadow bundles has done: they are this process's."""

import time

import sqlalchemy as sa

from msnode import metrics
from msnode.store import shadow_results
from msnode.store.for_reading import for_reading


class ShadowCount:
    """Counts what this host has compared since it started.

    Args:
        database: migrated.
        host: name of this node.
    """

    def __init__(self, database: sa.Engine, host: str) -> None:
        self._database = for_reading(database)
        self._host = host
        self._counted_to = time.time()

    def count(self) -> None:
        """Count what has ended since the last time, and what waits."""
        with self._database.connect() as connection:
            ended = shadow_results.ended_since(connection, self._host, self._counted_to)
            left = shadow_results.counts(connection)
        for state, seconds, at in ended:
            metrics.SHADOW_RESULTS.labels(state).inc()
            if seconds is not None:
                metrics.SHADOW_SECONDS.observe(seconds)
            self._counted_to = at
        metrics.SHADOW_BACKLOG.set(sum(left.get(state, 0) for state in shadow_results.OPEN))

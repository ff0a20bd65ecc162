"""Conditions by the metrics of another process, which began before anybody followed it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from msnode import metrics
from msnode.config import Http
from msnode.manage.node_metrics import NodeMetrics, fetch
from msnode.notices.conditions import Conditions
from msnode.web.monitor import Monitor


class Other:
    """A node's counter of faults."""

    def __init__(self, total: float) -> None:
        self.total = total

    def read(self, metric: Any) -> Iterator[tuple[Mapping[str, str], float]]:
        if metric is metrics.FAULTS:
            yield {"reason": "odd"}, self.total
        if metric is metrics.READY:
            yield {}, 1.0


def alerts(conditions: Conditions, now: float) -> list[str]:
    return [one.alert for one in conditions.problems(now)]


@pytest.mark.parametrize("from_begin", [True, False])
def test_what_was_counted_before_is_news_only_to_who_followed_it(from_begin: bool) -> None:
    other = Other(5)
    conditions = Conditions(other.read, from_begin=from_begin)
    assert alerts(conditions, 0.0) == (["MsnodeFault"] if from_begin else [])
    other.total += 1
    assert alerts(conditions, 10.0) == ["MsnodeFault"]
    assert alerts(conditions, 10.0 + 3601) == []


def test_a_node_is_read_as_it_says_itself() -> None:
    monitor = Monitor(Http(port=0), lambda: (False, "starting"), lambda: (True, ""))
    monitor.start()
    metrics.FAULTS.labels("odd").inc(2)
    try:
        port = monitor.port
        found = fetch(Http(port=port))
    finally:
        monitor.stop()
        metrics.FAULTS.remove("odd")
    assert isinstance(found, NodeMetrics)
    assert (found.is_ready, found.said) == (False, "starting")
    assert ({"reason": "odd"}, 2.0) in list(found.read(metrics.FAULTS))
    assert list(found.read(metrics.READY)) == [({}, 0.0)]
    assert found.started_at > 1e9
    assert fetch(Http(port=port)) is None

"""What the running node says of itself by its metrics, read from another process."""

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException

from prometheus_client import Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from msnode.config import Http
from msnode.manage.own_ports import place_of

PATIENCE_S = 3.0
LONGEST = 16 * 1024**2
"""Bytes of an answer."""
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of the host's environment leads elsewhere, not to this host."""


@dataclass(frozen=True)
class NodeMetrics:
    """The node as it was a moment ago.

    Attributes:
        families: samples by the metric's name, as Prometheus calls it.
        is_ready: whether it takes and analyses studies.
        said: its own words about that.
    """

    is_ready: bool
    said: str
    families: Mapping[str, tuple[Sample, ...]] = field(repr=False)

    def read(self, metric: Counter | Gauge) -> Iterator[tuple[Mapping[str, str], float]]:
        """As `conditions.here`, of the node's process."""
        name = next(iter(metric.describe())).name
        for sample in self.families.get(name, ()):
            if not sample.name.endswith("_created"):
                yield sample.labels, sample.value

    @property
    def started_at(self) -> float:
        """When its process began, unix time in seconds; 0 where it does not say."""
        return next((one.value for one in self.families.get("process_start_time_seconds", ())), 0.0)

    @property
    def build(self) -> Mapping[str, str]:
        """version, model, model_version, device and so on; empty before the model is loaded."""
        return next((one.labels for one in self.families.get("msnode_build_info", ())), {})


def fetch(http: Http) -> NodeMetrics | None:
    """Ask the node at its configured address; None where it does not answer."""
    try:
        text = _get(http, "metrics")[1]
        status, said = _get(http, "readyz")
        families = {one.name: tuple(one.samples) for one in text_string_to_metric_families(text)}
    except (OSError, ValueError, HTTPException):  # whoever listens there may be somebody else
        return None
    return NodeMetrics(status == 200, said.strip(), families)


def _get(http: Http, path: str) -> tuple[int, str]:
    try:
        url = f"http://{place_of(http)}/{path}"
        with _DIRECTLY.open(url, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read(LONGEST).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(LONGEST).decode("utf-8", "replace")

"""What can be wrong with a node, read from its own metrics.

Each condition has the name of the alert that says the same in config/prometheus/msnode.rules.yml,
so that docs/metrics.md tells what to do for both. What one process cannot know of itself, or what
takes hours of history, is left to Prometheus.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from prometheus_client import Counter, Gauge

from msnode import metrics

Severity = Literal["critical", "warning"]
Labels = tuple[tuple[str, str], ...]
Read = Callable[[], Iterator[tuple[Mapping[str, str], float]]]
"""Gives labels and values."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong now.

    Attributes:
        alert: name of the alert.
        labels: of which there may be several problems of one alert.
        severity: critical wants someone now, warning in working hours.
        text: a sentence without patient data.
        lasts: whether it goes on until somebody or something ends it; else it happened.
        total: how often it has happened since the process began; 0 of what lasts.
    """

    alert: str
    labels: Labels
    severity: Severity
    text: str
    lasts: bool
    total: float = 0.0

    @property
    def key(self) -> str:
        """The same for the same problem later, and after a restart."""
        return " ".join((self.alert, *(f"{name}={value}" for name, value in self.labels)))


@dataclass(frozen=True, slots=True)
class Level:
    """A state.

    Attributes:
        alert: name of the alert; ``severity`` and ``text`` as in `Problem`.
        is_wrong: labels of what is wrong now.
        for_s: seconds for which it must be.
    """

    alert: str
    severity: Severity
    text: str
    is_wrong: Callable[[], Iterator[Mapping[str, str]]]
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rise:
    """Something that is counted.

    Attributes:
        alert: name of the alert; ``severity`` and ``text`` as in `Problem`.
        counted: the counter.
        by: label of which each value is a problem of its own; "" for none.
        within_s: seconds within which it counts.
        least: so often, at least.
    """

    alert: str
    severity: Severity
    text: str
    counted: Read
    by: str = ""
    within_s: float = 3600.0
    least: int = 1


class Conditions:
    """Follows the metrics of this process; counters began at 0 when it did."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._rises: dict[str, deque[tuple[float, float]]] = defaultdict(deque)

    def problems(self, now: float) -> list[Problem]:
        """What is wrong.

        Args:
            now: seconds of any clock that never goes back.
        """
        found = [*self._levels(now), *self._risen(now)]
        order: tuple[Severity, ...] = "critical", "warning"
        return sorted(found, key=lambda one: (order.index(one.severity), one.key))

    def _levels(self, now: float) -> Iterator[Problem]:
        seen = set()
        for level in LEVELS:
            for labels in level.is_wrong():
                problem = Problem(level.alert, _sorted(labels), level.severity, level.text, True)
                seen.add(problem.key)
                if now - self._since.setdefault(problem.key, now) >= level.for_s:
                    yield _told(problem, labels)
        for ended in self._since.keys() - seen:
            del self._since[ended]

    def _risen(self, now: float) -> Iterator[Problem]:
        for rise in RISES:
            for value, total in _totals(rise).items():
                labels = {rise.by: value} if rise.by else {}
                problem = Problem(rise.alert, _sorted(labels), rise.severity, rise.text, False)
                count = self._within(problem.key, now, total, rise.within_s)
                if count >= rise.least:
                    told = _told(problem, {**labels, "count": f"{count:g}"})
                    yield replace(told, total=total)

    def _within(self, key: str, now: float, total: float, seconds: float) -> float:
        """By how much a counter rose lately."""
        known = self._rises[key]
        if not known or known[-1][1] != total:
            known.append((now, total))
        while len(known) > 1 and known[1][0] <= now - seconds:
            known.popleft()
        # what is older than the time is the value from which it counts
        before = known[0][1] if known[0][0] <= now - seconds else 0.0
        return total - before


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _told(problem: Problem, labels: Mapping[str, str]) -> Problem:
    text = problem.text.format(**labels)
    return replace(problem, text=text)


def _totals(rise: Rise) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for labels, value in rise.counted():
        totals[labels.get(rise.by, "")] += value
    return totals


def _of(counter: Counter, **wanted: tuple[str, ...]) -> Read:
    """A counter's values, of some labels alone."""

    def read() -> Iterator[tuple[Mapping[str, str], float]]:
        for metric in counter.collect():
            for sample in metric.samples:
                fits = all(sample.labels[name] in values for name, values in wanted.items())
                if sample.name.endswith("_total") and fits:
                    yield sample.labels, sample.value

    return read


def _values(gauge: Gauge) -> Iterator[tuple[Mapping[str, str], float]]:
    for metric in gauge.collect():
        for sample in metric.samples:
            yield sample.labels, sample.value


def _below(level: str) -> Callable[[], Iterator[Mapping[str, str]]]:
    """Whether less is free than a watermark."""

    def is_wrong() -> Iterator[Mapping[str, str]]:
        marks = {labels["level"]: value for labels, value in _values(metrics.WATERMARK_BYTES)}
        if level in marks and next(_values(metrics.FREE_BYTES))[1] < marks[level]:
            yield {}

    return is_wrong


def _not_ready() -> Iterator[Mapping[str, str]]:
    if not next(_values(metrics.READY))[1]:
        yield {}


def _tls_stale() -> Iterator[Mapping[str, str]]:
    return (labels for labels, value in _values(metrics.TLS_STALE) if value)


def _stopped_jobs() -> Iterator[Mapping[str, str]]:
    return (labels for labels, value in _values(metrics.STOPPED_JOBS) if value)


def _expectations_off() -> Iterator[Mapping[str, str]]:
    """Of 100 right intervals of 80 %, 68 to 92 hold what comes, 99 times in 100."""
    scored = {labels["quantity"]: n for labels, n in _values(metrics.EXPECTATIONS_SCORED)}
    for labels, part in _values(metrics.EXPECTATION_COVERAGE):
        if scored.get(labels["quantity"], 0) >= 100 and not 0.68 <= part <= 0.92:
            yield labels


LEVELS = (
    Level("MsnodeNotReady", "critical", "It runs but takes no work; /readyz says why", _not_ready,
          300.0),
    Level("MsnodeDiskFull", "critical",
          "The data disk is full: images are refused until there is room", _below("refuse")),
    Level("MsnodeDiskFilling", "warning", "The data disk is filling up", _below("warn"), 900.0),
    Level("MsnodeTlsStale", "critical",
          "The new files of {setting} cannot be used; the old ones go on, and expire",
          _tls_stale, 600.0),
    Level("MsnodeStoppedJobs", "warning",
          "Jobs wait for you: msnode jobs list --state {state}", _stopped_jobs, 300.0),
    Level("MsnodeExpectationsOff", "warning",
          "What is expected of patients is off: {quantity}", _expectations_off),
)  # fmt: skip

RISES = (
    Rise("MsnodeDeadLetter", "critical",
         "Results for {destination} were given up: {count} objects are not there",
         _of(metrics.DELIVERIES, outcome=("dead",)), "destination"),
    Rise("MsnodeStudyFailed", "critical", "{count} studies have no result; their images are kept",
         _of(metrics.STUDIES, outcome=("failed",))),
    Rise("MsnodeAuditLost", "critical", "Audit messages are lost: {target}",
         _of(metrics.AUDIT, outcome=("lost",)), "target"),
    Rise("MsnodeFault", "warning",
         "{count} studies lack a part of their result for a fault of the node: {reason}",
         _of(metrics.FAULTS), "reason"),
    Rise("MsnodeRefusesInstances", "warning", "{count} images were turned away",
         _of(metrics.INSTANCES, outcome=("refused", "failed")), within_s=900.0),
    Rise("MsnodeDeliveryFails", "warning",
         "{destination} takes no results: {count} attempts failed; they go on",
         _of(metrics.DELIVERIES, outcome=("retried",)), "destination", 1800.0, 3),
    Rise("MsnodePriorsFail", "warning",
         "{source} gives no earlier studies: {count} attempts failed; results go out without",
         _of(metrics.PRIOR_SEARCHES, outcome=("retried", "given_up")), "source", 3600.0, 3),
    Rise("MsnodeQuarantine", "warning", "{count} objects are kept back: {reason}",
         _of(metrics.QUARANTINED), "reason"),
    Rise("MsnodeDecoderDies", "warning",
         "{count} studies were not analysed, as the process that read them was lost",
         _of(metrics.DECODER_DEATHS, function=("prepare_into",)), within_s=21600.0, least=3),
    Rise("MsnodeUpkeepFails", "warning", "The task {task} fails again and again",
         _of(metrics.PERIODIC_FAILURES), "task", 900.0, 6),
    Rise("MsnodePagesEnd", "warning",
         "The pages ended {count} times and were started again; the node itself goes on",
         _of(metrics.PAGES_ENDS), within_s=900.0, least=3),
    Rise("MsnodeStranger", "warning", "{count} callers were turned away: {rule}",
         _of(metrics.REFUSALS, rule=("tls", "called_title", "caller", "address", "certificate",
                                     "token", "rights")), "rule"),
)  # fmt: skip

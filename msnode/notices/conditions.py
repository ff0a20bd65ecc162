"""What can be wrong with a node, read from its metrics: by itself, or by who asks for them.

Each condition has the name of the alert that says the same in config/prometheus/msnode.rules.yml,
so that docs/metrics.md tells what to do for both. What one process cannot know of itself, or what
takes hours of history, is left to Prometheus.
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from prometheus_client import Counter, Gauge

from msnode import metrics

Severity = Literal["critical", "warning"]
Labels = tuple[tuple[str, str], ...]
Samples = Iterator[tuple[Mapping[str, str], float]]
"""Labels and values."""
Read = Callable[[Counter | Gauge], Samples]
"""Gives those of a metric, wherever they are read."""


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
    is_wrong: Callable[[Read], Iterator[Mapping[str, str]]]
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
    counted: Callable[[Read], Samples]
    by: str = ""
    within_s: float = 3600.0
    least: int = 1


def here(metric: Counter | Gauge) -> Samples:
    """The values that a metric has in this process."""
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield sample.labels, sample.value


class Conditions:
    """Follows the metrics of a process.

    Args:
        read: gives their values; by default those of this process.
        from_begin: followed since the process began, when counters were 0; else what was counted
            before is no news.
    """

    def __init__(self, read: Read = here, *, from_begin: bool = True) -> None:
        self._read = read
        self._from_begin = from_begin
        self._is_first = True
        self._since: dict[str, float] = {}
        self._rises: dict[str, deque[tuple[float, float]]] = defaultdict(deque)

    def problems(self, now: float) -> list[Problem]:
        """What is wrong.

        Args:
            now: seconds of any clock that never goes back.
        """
        found = [*self._levels(now), *self._risen(now)]
        self._is_first = False
        order: tuple[Severity, ...] = "critical", "warning"
        return sorted(found, key=lambda one: (order.index(one.severity), one.key))

    def _levels(self, now: float) -> Iterator[Problem]:
        seen = set()
        for level in LEVELS:
            for labels in level.is_wrong(self._read):
                problem = Problem(level.alert, _sorted(labels), level.severity, level.text, True)
                seen.add(problem.key)
                if now - self._since.setdefault(problem.key, now) >= level.for_s:
                    yield _told(problem, labels)
        for ended in self._since.keys() - seen:
            del self._since[ended]

    def _risen(self, now: float) -> Iterator[Problem]:
        for rise in RISES:
            for value, total in _totals(rise, self._read).items():
                labels = {rise.by: value} if rise.by else {}
                problem = Problem(rise.alert, _sorted(labels), rise.severity, rise.text, False)
                count = self._within(problem.key, now, total, rise.within_s)
                if count >= rise.least:
                    told = _told(problem, {**labels, "count": f"{count:g}"})
                    yield replace(told, total=total)

    def _within(self, key: str, now: float, total: float, seconds: float) -> float:
        """By how much a counter rose lately."""
        known = self._rises[key]
        if self._is_first and not self._from_begin:
            known.append((-math.inf, total))
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


def _totals(rise: Rise, read: Read) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for labels, value in rise.counted(read):
        totals[labels.get(rise.by, "")] += value
    return totals


def _of(counter: Counter, **wanted: tuple[str, ...]) -> Callable[[Read], Samples]:
    """A counter's values, of some labels alone."""

    def counted(read: Read) -> Samples:
        for labels, value in read(counter):
            if all(labels[name] in values for name, values in wanted.items()):
                yield labels, value

    return counted


def _value(read: Read, gauge: Gauge) -> float:
    """Of a gauge without labels."""
    return next((value for _, value in read(gauge)), 0.0)


def _below(level: str) -> Callable[[Read], Iterator[Mapping[str, str]]]:
    """Whether less is free than a watermark."""

    def is_wrong(read: Read) -> Iterator[Mapping[str, str]]:
        marks = {labels["level"]: value for labels, value in read(metrics.WATERMARK_BYTES)}
        if level in marks and _value(read, metrics.FREE_BYTES) < marks[level]:
            yield {}

    return is_wrong


def _not_ready(read: Read) -> Iterator[Mapping[str, str]]:
    if not _value(read, metrics.READY):
        yield {}


def _tls_stale(read: Read) -> Iterator[Mapping[str, str]]:
    return (labels for labels, value in read(metrics.TLS_STALE) if value)


def _stopped_jobs(read: Read) -> Iterator[Mapping[str, str]]:
    return (labels for labels, value in read(metrics.STOPPED_JOBS) if value)


def _expectations_off(read: Read) -> Iterator[Mapping[str, str]]:
    """Of 100 right intervals of 80 %, 68 to 92 hold what comes, 99 times in 100."""
    scored = {labels["quantity"]: n for labels, n in read(metrics.EXPECTATIONS_SCORED)}
    for labels, part in read(metrics.EXPECTATION_COVERAGE):
        if scored.get(labels["quantity"], 0) >= 100 and not 0.68 <= part <= 0.92:
            yield labels


def _drifts(read: Read) -> Iterator[Mapping[str, str]]:
    return (labels for labels, value in read(metrics.DRIFT_ALARM) if value)


def _new_scanners(read: Read) -> Iterator[Mapping[str, str]]:
    if _value(read, metrics.DRIFT_NEW_SCANNERS):
        yield {}


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
    Level("MsnodeDrift", "warning",
          "Studies or results are other than they were: {value}; see msnode drift report", _drifts),
    Level("MsnodeNewScanner", "warning",
          "Studies come from a scanner that the baseline does not know; see msnode drift report",
          _new_scanners),
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

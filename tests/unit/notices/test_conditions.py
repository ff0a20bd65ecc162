"""What is wrong, by the node's own metrics; each condition is an alert of Prometheus, too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from msnode import metrics
from msnode.notices.conditions import LEVELS, RISES, Conditions, Problem

RULES = Path(__file__).parents[3] / "config" / "prometheus" / "msnode.rules.yml"

NOT_HERE = {
    "MsnodeDown": "a node that is down tells nothing",
    "MsnodeNothingReceived": "needs the site's working hours",
    "MsnodeQueueGrows": "needs hours of history",
    "MsnodeNotCommitted": "needs hours of history",
    "MsnodeNotCompared": "needs a day of history",
    "MsnodeSlowResults": "needs an hour of history",
    "MsnodeLimitReached": "says nothing before it goes on for long",
}
"""Alerts that Prometheus alone can tell."""


def of(problems: list[Problem], alert: str) -> list[Problem]:
    return [one for one in problems if one.alert == alert]


@pytest.fixture
def room() -> Iterator[None]:
    """A disk with 10 bytes free, of which more are wanted."""
    metrics.WATERMARK_BYTES.labels("warn").set(20)
    metrics.WATERMARK_BYTES.labels("refuse").set(5)
    metrics.FREE_BYTES.set_function(lambda: 10)
    yield
    metrics.WATERMARK_BYTES.clear()


def test_each_alert_is_a_condition_of_the_same_severity_or_cannot_be() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"]: rule["labels"]["severity"] for rule in group["rules"]}
    known = {one.alert: one.severity for one in (*LEVELS, *RISES)}
    assert known == {name: at for name, at in alerts.items() if name not in NOT_HERE}
    assert alerts.keys() >= NOT_HERE.keys()


def test_the_rules_of_strangers_are_those_of_prometheus() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    (alert,) = [rule for rule in group["rules"] if rule["alert"] == "MsnodeStranger"]
    named = set(alert["expr"].split('rule=~"')[1].split('"')[0].split("|"))
    conditions = Conditions()
    before = {one.key for one in of(conditions.problems(0), "MsnodeStranger")}
    for rule in named:
        metrics.REFUSALS.labels(rule).inc()
    found = {one.key for one in of(conditions.problems(15), "MsnodeStranger")} | before
    assert found == {f"MsnodeStranger rule={rule}" for rule in named}


def test_what_rose_is_told_with_its_number_until_it_is_old() -> None:
    conditions = Conditions()
    before = of(conditions.problems(0), "MsnodeDeadLetter")
    metrics.DELIVERIES.labels("conditions-pacs", "dead").inc(3)
    found = [one for one in of(conditions.problems(15), "MsnodeDeadLetter") if one not in before]
    (one,) = [one for one in found if dict(one.labels) == {"destination": "conditions-pacs"}]
    assert one.text == "Results for conditions-pacs were given up: 3 objects are not there"
    assert (one.severity, one.lasts) == ("critical", False)
    later = of(conditions.problems(3500), "MsnodeDeadLetter")
    assert one.key in [each.key for each in later]
    assert one.key not in [each.key for each in conditions.problems(3700)]
    metrics.DELIVERIES.labels("conditions-pacs", "dead").inc()
    (again,) = [each for each in conditions.problems(4000) if each.key == one.key]
    assert "1 objects" in again.text


def test_a_few_failed_attempts_are_no_outage() -> None:
    conditions = Conditions()
    conditions.problems(0)
    metrics.DELIVERIES.labels("conditions-few", "retried").inc(2)
    keys = [one.key for one in conditions.problems(15)]
    assert "MsnodeDeliveryFails destination=conditions-few" not in keys
    metrics.DELIVERIES.labels("conditions-few", "retried").inc()
    keys = [one.key for one in conditions.problems(30)]
    assert "MsnodeDeliveryFails destination=conditions-few" in keys


@pytest.mark.usefixtures("room")
def test_a_state_is_told_once_it_has_lasted() -> None:
    conditions = Conditions()
    assert not of(conditions.problems(0), "MsnodeDiskFilling")
    assert not of(conditions.problems(800), "MsnodeDiskFilling")
    (one,) = of(conditions.problems(901), "MsnodeDiskFilling")
    assert one.lasts
    assert not of(conditions.problems(901), "MsnodeDiskFull"), "10 bytes are more than 5"
    metrics.FREE_BYTES.set_function(lambda: 4)
    problems = conditions.problems(916)
    assert problems[0].severity == "critical", "the worst comes first"
    assert of(problems, "MsnodeDiskFull")
    metrics.FREE_BYTES.set_function(lambda: 30)
    assert not of(conditions.problems(930), "MsnodeDiskFilling")
    metrics.FREE_BYTES.set_function(lambda: 10)
    assert not of(conditions.problems(945), "MsnodeDiskFilling"), "it begins anew"


def test_expectations_are_off_only_where_enough_were_scored() -> None:
    metrics.EXPECTATION_COVERAGE.labels("conditions").set(0.5)
    metrics.EXPECTATIONS_SCORED.labels("conditions").set(99)
    assert not of(Conditions().problems(0), "MsnodeExpectationsOff")
    metrics.EXPECTATIONS_SCORED.labels("conditions").set(100)
    assert of(Conditions().problems(0), "MsnodeExpectationsOff")
    metrics.EXPECTATION_COVERAGE.labels("conditions").set(0.8)
    assert not of(Conditions().problems(0), "MsnodeExpectationsOff")

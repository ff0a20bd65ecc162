"""Is all well? What is wrong with the node now, and how much that matters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msnode.config import Config
from msnode.engine.jobs import Counts
from msnode.manage.node_state import NodeState
from msnode.manage.own_ports import place_of
from msnode.notices.conditions import Problem
from msnode.pages.admin.node_watch import Watched
from msnode.pages.admin.peer_watch import PeerWatch
from msnode.store.disk_space import Level

Colour = Literal["good", "warn", "bad"]

SEEN_HERE = {"MsnodeDiskFull", "MsnodeDiskFilling", "MsnodeStoppedJobs", "MsnodeQuarantine"}
"""Conditions of which the disk and the database tell more."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is wrong.

    Attributes:
        colour: bad wants somebody now, warn in working hours.
        phrase: code in the section ``admin``, with its values.
        to: page on which something can be done about it; "" for none.
        detail: in somebody else's words.
    """

    colour: Colour
    phrase: str
    values: Mapping[str, str | int] = field(default_factory=dict)
    to: str = ""
    detail: str = ""


def verdict(concerns: list[Concern]) -> Colour:
    """Of all of them the worst; good for none."""
    if any(one.colour == "bad" for one in concerns):
        return "bad"
    return "warn" if concerns else "good"


def concerns_of(
    config: Config, state: NodeState, counts: Counts, watched: Watched | None, peers: PeerWatch
) -> list[Concern]:
    """What is wrong now, the worst first."""
    found = [
        *_of_node(config, watched),
        *_of_jobs(counts),
        *_of_room(state),
        *_of_peers(peers),
    ]
    if not config.destinations:
        found.append(Concern("warn", "no_destinations", to="/configuration"))
    return sorted(found, key=lambda one: one.colour != "bad")


def _of_node(config: Config, watched: Watched | None) -> Iterator[Concern]:
    """By what the node says itself."""
    if watched is None:  # it is being asked for the first time
        return
    if watched.said is None:
        yield Concern("bad", "node_silent", {"place": place_of(config.http)})
        return
    problems = [one for one in watched.problems if one.alert not in SEEN_HERE]
    if not watched.said.is_ready and not any(one.alert == "MsnodeNotReady" for one in problems):
        yield Concern("warn", "node_not_ready", detail=watched.said.said)
    yield from map(_of_problem, problems)


def _of_problem(problem: Problem) -> Concern:
    colour: Colour = "bad" if problem.severity == "critical" else "warn"
    to = "/jobs?state=dead" if problem.alert == "MsnodeDeadLetter" else ""
    return Concern(colour, f"alert_{problem.alert}", dict(problem.labels), to)


def _of_jobs(counts: Counts) -> Iterator[Concern]:
    if dead := counts.by_state.get("dead", 0):
        yield Concern("bad", "stopped_dead", {"number": dead}, "/jobs?state=dead")
    if cancelled := counts.by_state.get("cancelled", 0):
        yield Concern("warn", "stopped_cancelled", {"number": cancelled}, "/jobs?state=cancelled")


def _of_room(state: NodeState) -> Iterator[Concern]:
    if state.disk.level == Level.FULL:
        yield Concern("bad", "disk_full")
    elif state.disk.level == Level.LOW:
        yield Concern("warn", "disk_low")
    if state.quarantined:
        yield Concern("warn", "quarantined", {"number": state.quarantined}, "/quarantine")


def _of_peers(peers: PeerWatch) -> Iterator[Concern]:
    for (name, _), answer in list(peers.answers.items()):
        if answer.problem:
            yield Concern("warn", "trouble_peer", {"name": name}, detail=answer.problem)

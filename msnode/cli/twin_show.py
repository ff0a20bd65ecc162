"""What `msnode twin show` prints: a patient's state."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.cli.twin_outlook import as_objects, draw, tables
from msnode.cli.twin_record import opened, record_of
from msnode.errors import MsnodeError
from msnode.manage.disputed import Disputed
from msnode.manage.expected_course import forecast_of
from msnode.twin.clinical.event_kinds import KINDS
from msnode.twin.clinical.events import IDENTITY_DIGITS, Event
from msnode.twin.expect.priors import load_priors
from msnode.twin.patient_state import PatientState, imaging, state
from msnode.twin.rules.rule_result import RuleResult
from msnode.twin.rules.severity import Tables
from msnode.twin.rules.severity_table import load_table

DISPUTES = {
    "reject": "outlined lesions rejected",
    "add": "lesions added",
    "not_ms": "not MS",
    "wrong_series": "wrong series read",
}
"""Kinds of feedback that contradict a result, in words."""


def show(
    config_file: Path,
    patient: str,
    issuer: str,
    on: date | None,
    rate: float | None = None,
    *,
    png: Path | None = None,
    as_json: bool,
) -> None:
    """Print a patient's state, and what is to be expected.

    Args:
        config_file: of the node.
        patient: PatientID.
        issuer: IssuerOfPatientID, "" where it is not known.
        on: day that is asked for; None for today.
        rate: new lesions a year of one course more.
        png: gets a picture of the course.
        as_json: one object instead of tables.

    Raises:
        MsnodeError: there is nothing to draw, or see `opened`.
    """
    if rate is not None and not math.isfinite(rate):
        raise MsnodeError("--rate: give a number")
    settings = config.load(config_file)
    priors = load_priors(settings.expect.priors)
    known = Tables(load_table(settings.expect.msss), load_table(settings.expect.armss))
    with opened(settings) as node:
        record = record_of(node, patient, issuer)
    events = (one.event for one in record.events)
    found = state(events, imaging(record.entries), on or date.today(), known)
    told = forecast_of(found, priors)
    if png is not None:
        draw(found, told, png)
    if as_json:
        beside = {"merged_ids": record.merged, "disputed": list(map(asdict, record.disputed))}
        shown = as_object(found) | beside | as_objects(told, rate)
        click.echo(json.dumps(shown, default=str))
        return
    console = Console()
    console.print(_facts(found))
    console.print(_events(found, console.width), _studies(found), _rules(found.rules))
    console.print(_definitions(found.rules), *tables(told, rate))
    for line in (*_remarks(found), *map(_disputed, record.disputed)):
        console.print(line)
    if record.merged:
        console.print(f"merged with {record.merged} other ID(s), whose events are among these")


def as_object(found: PatientState) -> dict[str, object]:
    """A state as JSON has it: events with their identities, dates as ISO 8601."""
    told = asdict(found)
    for group in ("events", "replaced", "dangling"):
        events: Iterable[Event] = getattr(found, group)
        told[group] = [_event(event) for event in events]
    return told


def _event(event: Event) -> dict[str, object]:
    """An event; its date as far as it is known."""
    told = asdict(event) | {"day": event.when or None, "identity": event.identity}
    del told["last"]
    return told


def _facts(found: PatientState) -> str:
    """What is said outright, in lines."""
    facts = found.facts
    told = {
        "born": facts.birth_year,
        "sex": facts.sex,
        "diagnosis": facts.diagnosis,
        "EDSS": None if facts.edss is None else f"{facts.edss:.1f} ({facts.edss_day})",
        "treatment": ", ".join(facts.treatments or ()) or None,
        "relapses on record": facts.relapses,
    }
    return "\n".join(
        f"[bold]{name}[/] {'unknown' if value is None else escape(str(value))}"
        for name, value in told.items()
    )


def _events(found: PatientState, width: int) -> Table:
    """The events that hold.

    Args:
        found: the state.
        width: of the terminal, in characters.
    """
    # the day and the identity, which is there to be copied, stand whole; 11 are between columns
    rest = max((width - 10 - IDENTITY_DIGITS - 11) // 2, 8)
    table = Table(box=SIMPLE, pad_edge=False, title="events", title_justify="left")
    table.add_column("day", no_wrap=True)
    table.add_column("what", overflow="fold", max_width=rest)
    table.add_column("value", overflow="fold", max_width=rest)
    table.add_column("identity, identifier, note", overflow="fold", min_width=IDENTITY_DIGITS)
    for event in found.events:
        value = "\n".join(filter(None, (f"{event.value} {event.unit}".strip(), event.detail)))
        named = "\n".join(filter(None, (event.identity, event.identifier, event.note)))
        what = KINDS[event.kind].what
        table.add_row(event.when, what, escape(value), escape(named))
    return table


def _studies(found: PatientState) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, title="studies", title_justify="left")
    for name in ("day", "study", "lesions", "ml", "compared with", "new", "enlarging"):
        table.add_column(name, no_wrap=name != "compared with")
    for one in found.imaging:
        ml = "" if one.lesion_ml is None else f"{one.lesion_ml:.1f}"
        cells = (one.day, one.study_key, one.lesion_count, ml, one.prior, one.new, one.enlarging)
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    return table


def _rules(results: Iterable[RuleResult]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, title="rules", title_justify="left")
    for name in ("rule", "result"):
        table.add_column(name, overflow="fold")
    for one in results:
        table.add_row(one.rule.name, _result(one))
    return table


def _definitions(results: Iterable[RuleResult]) -> str:
    """What each rule says, below the table: as a column of it, it would be unreadable."""
    told = (
        f"[bold]{one.rule.name}[/]: {escape(one.rule.definition)}. Source: "
        f"{escape(one.rule.source)}."
        for one in results
    )
    return "definitions\n\n" + "\n\n".join(told) + "\n"


def _disputed(one: Disputed) -> str:
    """What readers hold otherwise of a study; what stands above knows nothing of it."""
    counts = ", ".join(f"{DISPUTES[kind]} {count}" for kind, count in one.counts.items())
    return (
        f"[yellow]readers contradict the result of {one.day or 'a study without date'} "
        f"({one.study_key}): {counts}; nothing above has changed by that[/]"
    )


def _result(one: RuleResult) -> str:
    """A result with its reason; what is missing, where it is unknown."""
    if one.value is None:
        return f"[yellow]unknown[/], for want of: {escape('; '.join(one.missing))}"
    return f"[bold]{one.value}[/]: {escape(one.words)}"


def _remarks(found: PatientState) -> Iterable[str]:
    """What is to be corrected, and what does not hold any more."""
    for contradiction in found.contradictions:
        names = ", ".join(contradiction.events)
        yield f"[red]contradiction[/]: {escape(contradiction.why)}; correct one of {names}"
    for event in found.dangling:
        yield f"[yellow]correction of an event that is not on record[/]: {event.identity}"
    if found.replaced:
        yield f"{len(found.replaced)} event(s) replaced or withdrawn"

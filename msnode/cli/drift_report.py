"""What `msnode drift report` and `msnode drift restart` do and print."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode.cli.twin_record import opened
from msnode.config import load
from msnode.drift import DriftState, Part, PartState, ValueState, look
from msnode.drift.baseline import baseline_key, restart
from msnode.drift.reference import read_reference
from msnode.store.study_values import newest_model

KNOWN, DRIFTS, UNKNOWN = 0, 1, 3


def print_report(config_file: Path, *, as_json: bool) -> int:
    """Print what is known of drift; returns the exit status."""
    settings = load(config_file)
    with opened(settings) as node:
        reference = read_reference(settings.classify.bundle)
        state = look(node.database, settings.drift, reference)
    if as_json:
        click.echo(json.dumps(asdict(state), indent=1))
    else:
        console = Console()
        for part in state.parts:
            for line in sentences(part, state):
                console.print(line, highlight=False, soft_wrap=True)
            if part.is_known:
                console.print(_table(part))
    if any(part.drifting or part.new_scanners for part in state.parts):
        return DRIFTS
    return KNOWN if all(part.is_known for part in state.parts) else UNKNOWN


def sentences(part: PartState, state: DriftState) -> Iterator[str]:
    """What is known of a part, in words."""
    name = part.part.capitalize()
    if part.frozen_at is None:
        yield (
            f"[bold]{name}: not yet known.[/bold] The baseline has {part.baseline} patients so "
            f"far; {part.missing} more studies are needed until it can be said."
        )
        return
    frozen = datetime.fromtimestamp(part.frozen_at, UTC).date()
    if not part.is_known:
        yield (
            f"[bold]{name}: not yet known.[/bold] The baseline ({part.baseline} patients, until "
            f"{frozen}) is there; {part.missing} more studies are needed."
        )
    else:
        until = datetime.fromtimestamp(part.until or 0.0, UTC).date()
        verdict = f"drift in {', '.join(part.drifting)}" if part.drifting else "as it was"
        yield (
            f"[bold]{name}: {verdict}.[/bold] The last {part.studies} studies ({part.patients} "
            f"patients, until {until}) beside {part.baseline} (until {frozen}); the next look in "
            f"{part.next_in} studies, {state.per_day:.1f} a day."
        )
    for scanner, number in part.new_scanners if part.part == "input" else ():
        name = escape(scanner or "unnamed")
        yield f"New scanner, not in the baseline: {name} ({number} studies)."


def _table(part: PartState) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("value", "baseline", "now", "PSI", "chance", "", "training PSI", "outside"):
        table.add_column(name, justify="left" if name in ("value", "") else "right")
    for one in part.values:
        table.add_row(*_row(one))
    for scanner, told in part.by_scanner:
        worst = sorted(told, key=lambda pair: -pair[1])[:3]
        words = ", ".join(f"{name} {value:.2f}" for name, value in worst)
        table.add_row(f"  {escape(scanner or 'unnamed')}", "", "", words, "", "", "", "")
    return table


def _row(one: ValueState) -> tuple[str, ...]:
    share = one.psi is None
    return (
        one.name,
        _number(one.base, share=share),
        _number(one.now, share=share),
        "-" if one.psi is None else f"{one.psi:.2f}",
        f"{one.chance:.4f}" if one.chance >= 0.0001 else "<0.0001",
        "[bold]drift[/bold]" if one.drifts else "",
        "-" if one.training_psi is None else f"{one.training_psi:.2f}",
        "-" if one.outside is None else f"{100 * one.outside:.0f} %",
    )


def _number(value: float | None, *, share: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.0f} %" if share else f"{value:.3g}"


def restart_baseline(config_file: Path, part: str | None) -> None:
    """Collect anew from now on."""
    with opened(load(config_file)) as node, node.database.begin() as connection:
        model = newest_model(connection)
        for one in get_args(Part):
            if part in (None, one):
                restart(connection, baseline_key(one, model), time.time())
    click.echo(f"{part or 'input and output'}: a baseline is collected anew from now on")

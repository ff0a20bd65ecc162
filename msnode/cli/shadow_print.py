"""What `msnode shadow` prints and writes: how shadows compare with the bundle in force."""

import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.cli.twin_record import account
from msnode.errors import MsnodeError
from msnode.manage.node_database import opened
from msnode.manage.shadow_figures import OUTCOMES, Accuracy, Differences, Measured
from msnode.manage.shadow_report import AgainstReaders, Comparison, comparisons
from msnode.store.files import encode
from msnode.store.shadow_evidence import FORMAT, Evidence, write_evidence

MOST = 20
"""Studies of which the two say something else that are printed; JSON has all of them."""
FIGURES = ("sensitivity", "specificity", "ece", "brier")


def show(config_file: Path, since: float, form: str | None) -> None:
    """Print the report: for people, or as JSON or CSV."""
    found = comparisons(opened(config.load(config_file)), since)
    if form == "json":
        click.echo(json.dumps(json.loads(encode(found)), indent=1, ensure_ascii=False))
    elif form == "csv":
        _write_csv(found)
    elif not found:
        click.echo("nothing was compared yet: name bundles under classify.shadow")
    else:
        Console().print(Group(*(part for one in found for part in _parts(one))))


def write_evidence_of(name: str, config_file: Path, out: Path) -> None:
    """Write the newest comparison with a shadow as evidence.

    Raises:
        MsnodeError: no study was compared with it.
    """
    found = [one for one in comparisons(opened(config.load(config_file))) if one.shadow == name]
    if not found or not found[-1].compared:
        raise MsnodeError(f"no study was compared with a shadow called {name!r} yet")
    last = found[-1]
    evidence = Evidence(
        FORMAT, last.shadow, last.version, last.digest, last.digest_in_force, last.compared,
        time.time(), account(), json.loads(encode(last)),
    )  # fmt: skip
    write_evidence(evidence, out)
    click.echo(f"{out}: {last.version}, compared on {last.compared} studies")


def _parts(one: Comparison) -> Iterator[RenderableType]:
    """One comparison for people."""
    yield (
        f"[bold]{escape(one.shadow)}[/]: {escape(one.version)} [dim]{one.digest[:12]}[/] "
        f"beside [dim]{one.digest_in_force[:12]}[/]"
    )
    yield _figures(one)
    if one.compared:
        yield _crossed(one)
    if one.readers is not None:
        yield _against(one.readers)
    if one.differing:
        yield _differing(one)


def _figures(one: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    told = ", ".join(f"{state} {n}" for state, n in sorted(one.counts.items()) if n)
    table.add_row("results", told)
    table.add_row("compared", f"{one.compared} studies of {one.patients} patients")
    table.add_row("same decision", _value(one.agreement))
    table.add_row("Cohen's kappa", _value(one.kappa))
    table.add_row("probability", _apart(one.differences))
    if one.seconds is not None:
        table.add_row("time", f"{one.seconds:.1f} s a study (median, one core)")
    return table


def _crossed(one: Comparison) -> Table:
    """Both decisions; what nobody said has no row and no column."""
    said = {b for row in one.outcomes.values() for b in row} | set(one.outcomes)
    names = [name for name in OUTCOMES if name in said]
    table = Table(box=SIMPLE, pad_edge=False, title="studies by decision", title_justify="left")
    table.add_column("in force \\ shadow")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in names:
        cells = (one.outcomes.get(row, {}).get(column, 0) for column in names)
        table.add_row(row.replace("_", " "), *map(str, cells))
    return table


def _against(readers: AgainstReaders) -> Table:
    title = f"against readers: {readers.studies} studies, {readers.with_ms} with MS"
    table = Table(box=SIMPLE, pad_edge=False, title=title, title_justify="left")
    for name in ("", "in force", "shadow"):
        table.add_column(name)
    for name in FIGURES:
        sides = (getattr(side, name) for side in (readers.in_force, readers.shadow))
        table.add_row(name.upper() if name == "ece" else name, *map(_value, sides))
    return table


def _differing(one: Comparison) -> Table:
    title = f"another decision ({len(one.differing)})"
    if len(one.differing) > MOST:
        title += f"; the newest {MOST}, all with --json"
    table = Table(box=SIMPLE, pad_edge=False, title=title, title_justify="left")
    for name in ("study", "in force", "shadow"):
        table.add_column(name)
    for found in reversed(one.differing[-MOST:]):
        table.add_row(
            found.study,
            _said(found.in_force, found.probability_in_force),
            _said(found.shadow, found.probability),
        )
    return table


def _said(outcome: str, probability: float | None) -> str:
    return outcome.replace("_", " ") + ("" if probability is None else f" {probability:.2f}")


def _value(measured: Measured) -> str:
    if measured.value is None:
        return "not defined by these studies"
    return f"{measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f})"


def _apart(found: Differences) -> str:
    if found.mean is None:
        return "no study with both"
    told = f"shadow less in force {found.mean:+.3f}"
    if found.low is None:
        return told
    return f"{told}, limits of agreement {found.low:+.3f} to {found.high:+.3f}"


def _write_csv(found: Sequence[Comparison]) -> None:
    rows = [dict(_cells(one)) for one in found]
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(sys.stdout, names)
    writer.writeheader()
    writer.writerows(rows)


def _cells(one: Comparison) -> Iterator[tuple[str, object]]:
    yield from (
        ("shadow", one.shadow), ("version", one.version), ("digest", one.digest),
        ("digest_in_force", one.digest_in_force), ("compared", one.compared),
        ("waiting", one.waiting), ("patients", one.patients), ("seconds", one.seconds),
    )  # fmt: skip
    yield from _measured("agreement", one.agreement)
    yield from _measured("kappa", one.kappa)
    apart = one.differences
    yield from (("difference", apart.mean), ("low_limit", apart.low), ("high_limit", apart.high))
    for name in ("failed", "gone", "dropped"):
        yield name, one.counts.get(name, 0)
    readers = one.readers
    yield "read", readers.studies if readers is not None else 0
    yield from _both(readers.in_force if readers else None, readers.shadow if readers else None)


def _both(in_force: Accuracy | None, ours: Accuracy | None) -> Iterator[tuple[str, object]]:
    for side, told in (("in_force", in_force), ("shadow", ours)):
        for name in FIGURES:
            value = getattr(told, name) if told is not None else Measured(None)
            yield from _measured(f"{side}_{name}", value)


def _measured(name: str, found: Measured) -> Iterator[tuple[str, object]]:
    yield from ((name, found.value), (f"{name}_low", found.low), (f"{name}_high", found.high))

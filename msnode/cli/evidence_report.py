"""What `msnode feedback import` and `msnode feedback report` do and print."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, time
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.cli.twin_record import account, opened
from msnode.manage.evidence_cases import By, cases_of
from msnode.manage.evidence_figures import (
    SMALL,
    EvidenceFigure,
    EvidenceGroup,
    figures_of,
    grouped,
)
from msnode.manage.table_file import write_rows
from msnode.manage.verdict_csv import import_verdicts
from msnode.store.judgements import states

SHOWN = ("sensitivity", "specificity", "ppv", "brier", "ece")
COUNTS = ("results", "patients", "known", "known_patients", "disputed", "open", "undetermined",
          "not_analysed", "positive", "positive_known", "negative", "negative_known")  # fmt: skip


def import_file(config_file: Path, file: Path, *, dry_run: bool) -> None:
    """Add the verdicts of a file, and say what became of its lines.

    Raises:
        SystemExit: with 1, where a line was refused.
        MsnodeError: see `import_verdicts`.
    """
    with opened(config.load(config_file)) as node:
        if not dry_run:
            node.trail.imported(account(), file.name)  # before the first row: it may be stopped
        done = import_verdicts(node.database, node.secret, file, _tell, dry_run=dry_run)
    word = "would be added" if dry_run else "added"
    click.echo(f"{done.added} verdict(s) {word}, {done.known} known before, {done.refused} refused")
    if done.refused:
        raise SystemExit(1)


def _tell(line: int, column: str, fix: str) -> None:
    place = f"line {line}, {column}" if column else f"line {line}"
    click.echo(f"{place}: {fix}", err=True)


def report(
    config_file: Path, by: By, since: date | None, out: Path | None, *, as_json: bool
) -> None:
    """Print how right results were.

    Args:
        config_file: of the node.
        by: what tells groups apart; ``all`` for none.
        since: results made since that day, UTC; None for all.
        out: gets a row for each group, as CSV.
        as_json: one object instead of tables.
    """
    begin = datetime.combine(since, time()).timestamp() if since is not None else 0.0
    with opened(config.load(config_file)) as node, node.database.connect() as connection:
        cases = cases_of(connection, begin)
        documents = states(connection)
    whole = figures_of("all", cases)
    groups = grouped(cases, by) if by != "all" else []
    if out is not None:
        rows = [_row(one) for one in (whole, *groups)]
        write_rows(rows, list(rows[0]), out)
        click.echo(f"{len(rows)} rows are in {out}")
    elif as_json:
        told = {"all": asdict(whole), "by": by, "groups": [asdict(one) for one in groups]}
        told["documents"] = [
            {"state": state, "why": why, "number": n} for (state, why), n in documents.items()
        ]
        click.echo(json.dumps(told, indent=1))
    else:
        _print(whole, by, groups, documents)


def _print(
    whole: EvidenceGroup,
    by: By,
    groups: Sequence[EvidenceGroup],
    documents: Mapping[tuple[str, str], int],
) -> None:
    console = Console()
    for line in sentences(whole):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_table("", [whole]))
    console.print(f"Each with its 95 % interval; where there are fewer than {SMALL} patients, "
                  "only counts.", highlight=False)  # fmt: skip
    if groups:
        console.print(_table(by, groups))
    if whole.known:
        console.print(_calibration(whole))
    seen = [f"{why or state} {n}" for (state, why), n in sorted(documents.items())]
    if seen:
        console.print(f"Documents from outside: {', '.join(seen)}.", highlight=False)


def sentences(whole: EvidenceGroup) -> list[str]:
    """What must be known before the numbers are read."""
    told = [
        f"{whole.results} results of {whole.patients} patients; the truth of {whole.known} of "
        f"them is known ({_share(whole.known, whole.results)}), of {whole.known_patients} patients."
    ]
    if not whole.known:
        return [*told, "No figure can be given before readers judge results (docs/feedback.md)."]
    told.append(
        f"Known is the truth of {_share(whole.positive_known, whole.positive)} of the results "
        f"that say present and {_share(whole.negative_known, whole.negative)} of those that say "
        "absent. Positives are read and confirmed more often than negatives, so sensitivity looks "
        "better and specificity worse than they are; what is adjusted allows for that, as far as "
        "the decision alone decided what was confirmed."
    )
    if whole.disputed or whole.undetermined or whole.not_analysed:
        told.append(
            f"Not in the figures: {whole.disputed} on which readers contradict each other, "
            f"{whole.undetermined} known ones without a decision, {whole.not_analysed} that were "
            "not analysed."
        )
    return told


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}, {100 * part / whole:.0f} %" if whole else "none"


def _table(by: str, groups: Sequence[EvidenceGroup]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(by, overflow="fold", min_width=10)
    table.add_column("known\npatients", justify="right")
    for name in SHOWN:
        table.add_column(_title(name), justify="right")
    for one in groups:
        table.add_row(
            escape(one.name) if by else "",
            f"{one.known}/{one.results}\n{one.known_patients}/{one.patients}",
            *(shown(one.figures[name]) for name in SHOWN),
        )
        adjusted = [one.figures[f"{name}_adjusted"] for name in SHOWN[:2]]
        if any(figure.value is not None for figure in adjusted):
            table.add_row("  adjusted", "", *map(shown, adjusted), "", "", "")
    return table


def _title(name: str) -> str:
    return {
        "ppv": "PPV",
        "ece": "ECE",
        "brier": "Brier",
        "sensitivity": "sens.",
        "specificity": "spec.",
    }.get(name, name)


def shown(figure: EvidenceFigure) -> str:
    """A figure above its interval, or only how many there are."""
    if figure.value is None and figure.right is None:
        return f"n {figure.of}" if figure.of else "-"
    if figure.value is None:
        return f"{figure.right}/{figure.of}" if figure.of else "-"
    counts = f" {figure.right}/{figure.of}" if figure.right is not None else ""
    return f"{figure.value:.2f}{counts}\n{figure.low:.2f}-{figure.high:.2f}"


def _calibration(whole: EvidenceGroup) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("probability", "studies", "mean", "with MS"):
        table.add_column(name, justify="right")
    for one in whole.bins:
        mean = f"{one.told:.2f}" if one.told is not None else "-"
        share = shown(one.share).replace("\n", ", ")
        table.add_row(f"{one.low:.1f}-{one.low + 0.1:.1f}", str(one.studies), mean, share)
    return table


def _row(one: EvidenceGroup) -> dict[str, object]:
    """A group as a row of a file."""
    row: dict[str, object] = {"group": one.name} | {name: getattr(one, name) for name in COUNTS}
    for name, figure in one.figures.items():
        row |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return row

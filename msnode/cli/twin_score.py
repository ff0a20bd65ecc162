"""What `msnode twin score` prints: how right predictions were."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from msnode import audit, config
from msnode.cli.twin_record import account, opened
from msnode.manage.patient_record import check_unambiguous
from msnode.store.patients import patient_key
from msnode.twin import Twin
from msnode.twin.expect.priors import load_priors
from msnode.twin.expect.score import Summary, summaries
from msnode.twin.expectations import Expectations


def score(config_file: Path, patient: str | None, issuer: str, *, as_json: bool) -> None:
    """Print how right the predictions were, of a patient or of all.

    Args:
        config_file: of the node.
        patient: PatientID; None for all patients.
        issuer: IssuerOfPatientID, "" where it is not known.
        as_json: an object a line instead of a table.

    Raises:
        MsnodeError: see `check_unambiguous`.
    """
    settings = config.load(config_file)
    priors = load_priors(settings.expect.priors)
    with opened(settings) as node:
        made = Expectations(Twin(node.database), priors)
        if patient is None:
            found = summaries(made.scored_everywhere())
        else:
            key = patient_key(node.secret, patient.strip(), issuer.strip())
            with node.database.connect() as connection:
                check_unambiguous(connection, key)
            node.trail.patient_record(account(), audit.Access.READ, patient.strip())
            found = summaries(made.scored(key))
    if as_json:
        for one in found:
            click.echo(json.dumps(asdict(one)))
        return
    Console().print(_table(found))


def _table(found: Iterable[Summary]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("what", "n", "in the 80 % interval", "log score", "population mean",
                 "where there was a last value", "last value", "twin"):  # fmt: skip
        table.add_column(name, overflow="fold")
    for one in found:
        share = "" if one.coverage is None else f"{100 * one.coverage:.0f} %"
        row = [
            one.quantity, str(one.number), share, _score(one.twin), _score(one.population),
            _score(one.twin_there), _score(one.last), one.verdict,
        ]  # fmt: skip
        table.add_row(*row)
    return table


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

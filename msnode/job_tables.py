"""What `msnode jobs` prints."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.database import open_database
from msnode.deliver import Receipts
from msnode.engine import OPEN, Job, Jobs
from msnode.errors import MsnodeError

COLOURS = {"dead": "red", "cancelled": "yellow", "running": "cyan", "done": "green"}


def jobs(config_file: Path) -> Jobs:
    """The jobs of the node that this configuration describes."""
    return Jobs(open_database(config.load(config_file).database_url))


def show_all(config_file: Path, states: Sequence[str], *, as_json: bool) -> None:
    """Print the jobs in these states; none given: all that are not done."""
    wanted = tuple(states) or (*OPEN, "dead", "cancelled")
    if "all" in wanted:
        wanted = (*OPEN, "dead", "cancelled", "done")
    found = jobs(config_file).list(wanted)
    if as_json:
        for job in found:
            click.echo(json.dumps(asdict(job)))
        return
    table = Table("job", "state", "next attempt", "changed", "host")
    table.columns[0].overflow = "fold"  # an ID is there to be copied
    for job in found:
        table.add_row(job.id, _state(job), _when(job.due_at), _when(job.updated_at), job.host or "")
    Console().print(table if found else "nothing to do")


def show_one(config_file: Path, job_id: str, *, as_json: bool) -> None:
    """Print a job and the receipts of its study's results."""
    job = jobs(config_file).get(job_id)
    database = open_database(config.load(config_file).database_url)
    receipts = Receipts(database).of(job.study, job.generation)
    if as_json:
        click.echo(json.dumps(asdict(job) | {"receipts": [asdict(r) for r in receipts]}))
        return
    console = Console()
    console.print(f"[bold]{job.id}[/] {_state(job)}, changed {_when(job.updated_at)}")
    table = Table("destination", "object", "delivered", "attempts", "status", "detail")
    for receipt in receipts:
        status = "" if receipt.status is None else f"0x{receipt.status:04X}"
        done = "[green]yes[/]" if receipt.delivered else "[red]no[/]"
        table.add_row(
            receipt.destination, f"…{receipt.sop_instance_uid[-12:]}", done,
            str(receipt.attempts), status, escape(receipt.detail),
        )  # fmt: skip
    console.print(table)


def drain(config_file: Path, timeout_s: float) -> None:
    """Wait until no job is open.

    Raises:
        MsnodeError: some still are when the time is over.
    """
    queue = jobs(config_file)
    deadline = time.monotonic() + timeout_s
    with Console(stderr=True).status("") as status:
        while left := len(queue.list(OPEN)):
            if time.monotonic() > deadline:
                raise MsnodeError(f"{left} job(s) still open after {timeout_s:.0f} s")
            status.update(f"{left} job(s) open …")
            time.sleep(0.5)
    click.echo("nothing to do")


def _state(job: Job) -> str:
    colour = COLOURS.get(job.state, "default")
    return f"[{colour}]{job.state}[/]"


def _when(moment: float | None) -> str:
    """Local time of day, with the date where it is not today."""
    if not moment:
        return ""
    then = time.localtime(moment)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", then)

"""What `msnode jobs` prints."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import config
from msnode.engine.jobs import OPEN, Job, Jobs
from msnode.errors import MsnodeError
from msnode.manage import work_list
from msnode.manage.node_database import opened
from msnode.manage.outcomes import in_words, kinds_of, result_of
from msnode.manage.work_list import SENT, UNDONE, as_sent, told
from msnode.records.receipt import Receipt
from msnode.store.receipts import Receipts

COLOURS = {
    "dead": "red", "cancelled": "yellow", "running": "cyan", "done": "green", SENT: "blue",
}  # fmt: skip


PROOFS = {"commitment": "commitment", "find": "C-FIND", "none": "its next attempt"}
"""What is outstanding where everything was sent, by `DicomPeer.verify`."""


def jobs(config_file: Path) -> Jobs:
    """The jobs of the node that this configuration describes."""
    return Jobs(opened(config.load(config_file)))


def show_all(config_file: Path, states: Sequence[str], *, as_json: bool) -> None:
    """Print the jobs in these states; none given: all that are not done."""
    wanted = tuple(states) or UNDONE
    if "all" in wanted:
        wanted = (*UNDONE, "done")
    settings = config.load(config_file)
    database = opened(settings)
    found = told(Jobs(database), database, wanted)
    if as_json:
        for job in found:
            click.echo(json.dumps(asdict(job)))
        return
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("job", no_wrap=True)  # an ID is there to be copied
    table.add_column("state", min_width=len("commitment"))
    for name in ("next attempt", "changed"):
        table.add_column(name, min_width=len("00:00:00"))
    table.add_column("host", overflow="fold")
    for job in found:
        state, due, changed = _state(job, settings), when(job.due_at), when(job.updated_at)
        table.add_row(job.id, state, due, changed, job.host or "")
    Console().print(table if found else "nothing to do")


def show_one(config_file: Path, job_id: str, *, as_json: bool) -> None:
    """Print a job, its study's result, and what became of each object."""
    settings = config.load(config_file)
    database = opened(settings)
    receipts = Receipts(database)
    job = as_sent(Jobs(database).get(job_id), receipts.awaiting())
    found = receipts.of(job.study, job.generation)
    result = result_of(database, job.study, job.generation)
    kinds = kinds_of(settings.data, job.study, job.generation)
    if as_json:
        told = [asdict(r) | {"kind": kinds.get(r.sop_instance_uid)} for r in found]
        click.echo(json.dumps(asdict(job) | {"result": result, "receipts": told}))
        return
    console = Console()
    console.print(f"[bold]{job.id}[/] {_state(job, settings)}, changed {when(job.updated_at)}")
    console.print(in_words(result))
    table = Table("destination", "object", "delivered", "attempts", "status", "detail")
    for receipt in found:
        status = "" if receipt.status is None else f"0x{receipt.status:04X}"
        table.add_row(
            receipt.destination, kinds.get(receipt.sop_instance_uid, "…"), delivered(receipt),
            str(receipt.attempts), status, escape(receipt.detail),
        )  # fmt: skip
    console.print(table)


def delivered(receipt: Receipt) -> str:
    """Yes, no, not proven yet, or not wanted any more."""
    if receipt.superseded:
        return "[dim]superseded[/]"
    if receipt.sent:
        return "[yellow]sent[/]"
    return "[green]yes[/]" if receipt.delivered else "[red]no[/]"


def retry(config_file: Path, job_id: str) -> None:
    """Do a dead or cancelled job again, or a waiting one now; a peer that is silent is asked again.

    Raises:
        MsnodeError: it is queued, running or done.
    """
    database = opened(config.load(config_file))
    work_list.retry(Jobs(database), database, job_id)


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


def _state(job: Job, settings: config.Config) -> str:
    """In colour; of what was sent, with what is outstanding."""
    words = job.state
    if job.state == SENT:
        proofs = {d.name: d.proof for d in settings.destinations}
        words = f"sent, awaiting {PROOFS[proofs.get(job.destination or '', 'none')]}"
    return f"[{COLOURS.get(job.state, 'default')}]{words}[/]"


def when(moment: float | None) -> str:
    """Local time of day, with the date where it is not today."""
    if not moment:
        return ""
    then = time.localtime(moment)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", then)

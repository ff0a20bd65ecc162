"""The commands about a node's work: list, show, retry, cancel, drain."""

from pathlib import Path

import click

from msnode.cli.options import config_option, json_option, plain_errors


@click.group()
def jobs() -> None:
    """Look at the work of a node, running or not, and move it along."""


@jobs.command("list")
@config_option
@click.option(
    "--state",
    "states",
    type=click.Choice(["waiting", "sent", "queued", "running", "dead", "cancelled", "done", "all"]),
    multiple=True,
    help="Only these; by default everything that is not done.",
)
@json_option
@plain_errors
def jobs_list(config_file: Path, states: tuple[str, ...], as_json: bool) -> None:
    """List studies and deliveries that are not done."""
    from msnode.cli import jobs

    jobs.show_all(config_file, states, as_json=as_json)


@jobs.command("show")
@click.argument("job_id")
@config_option
@json_option
@plain_errors
def jobs_show(job_id: str, config_file: Path, as_json: bool) -> None:
    """Show one job with its result and receipts."""
    from msnode.cli import jobs

    jobs.show_one(config_file, job_id, as_json=as_json)


@jobs.command("retry")
@click.argument("job_id")
@config_option
@plain_errors
def jobs_retry(job_id: str, config_file: Path) -> None:
    """Do a dead or cancelled job again, or a waiting one now."""
    from msnode.cli import jobs

    jobs.retry(config_file, job_id)
    click.echo(f"{job_id} is queued again")


@jobs.command("cancel")
@click.argument("job_id")
@config_option
@plain_errors
def jobs_cancel(job_id: str, config_file: Path) -> None:
    """Stop a job before its next step."""
    from msnode.cli import jobs

    jobs.jobs(config_file).cancel(job_id)
    click.echo(f"{job_id} is cancelled")


@jobs.command("drain")
@config_option
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait.")
@plain_errors
def jobs_drain(config_file: Path, timeout: float) -> None:
    """Wait until nothing is queued, running or waiting for its next attempt."""
    from msnode.cli import jobs

    jobs.drain(config_file, timeout)

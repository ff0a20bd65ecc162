"""The command line: run the node, or use its parts by hand."""

import logging
import multiprocessing.util
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import click
import yaml
from rich.console import Console

from msnode import __version__
from msnode import config as configuration
from msnode.cli import learn_train, peers
from msnode.cli.options import (
    ANY,
    FOLDER,
    config_option,
    json_option,
    model_option,
    plain_errors,
)

WATCH_S = 10.0  # between looks for systemd's watchdog
EXIT_S = 8.0  # after SIGTERM, whatever still hangs; systemd and people wait for ten


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Log what happens, not only what goes wrong.")
def main(verbose: bool) -> None:
    """The multiple sclerosis triage node for a PACS. For research; not a medical device."""
    _log(logging.INFO if verbose else logging.WARNING)


@main.command()
@config_option
@plain_errors
def serve(config_file: Path) -> None:
    """Run the node until SIGTERM: receive, analyse, report, deliver."""
    _run(config_file, receive=True, work=True)


@main.command()
@config_option
@plain_errors
def receive(config_file: Path) -> None:
    """Only receive; other hosts, with the same database and data folder, do the work."""
    _run(config_file, receive=True, work=False)


@main.command()
@config_option
@plain_errors
def work(config_file: Path) -> None:
    """Only analyse and deliver what other hosts receive."""
    _run(config_file, receive=False, work=True)


def _run(config_file: Path, *, receive: bool, work: bool) -> None:
    """Run a service in this process until it is told to stop."""
    from msnode.service import Service  # torch takes seconds to import; --help should not

    _log(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Service(configuration.load(config_file), receive=receive, work=work) as service:
        while not stop.wait(WATCH_S):
            service.watch()
        # A step that waits for a slow peer, or a database that hangs, must not hold the exit up:
        # all that matters is durable by now, and the step is repeated at the next start.
        last = threading.Timer(EXIT_S, os._exit, [0])
        last.daemon = True
        last.start()
    shutil.rmtree(multiprocessing.util.get_temp_dir(), ignore_errors=True)  # a fork server's socket
    logging.shutdown()
    os._exit(0)


@main.command()
@config_option
@click.option("--peers/--no-peers", default=True, help="Reach every destination.")
@plain_errors
def check(config_file: Path, peers: bool) -> None:
    """Validate a configuration: keys, model bundle, data folder, destinations."""
    from msnode.cli.check import problems

    config = configuration.load(config_file)
    click.echo(yaml.safe_dump(configuration.masked(config), sort_keys=False, allow_unicode=True))
    found = 0
    for name, problem in problems(config, peers=peers):
        found += problem is not None
        click.secho(
            f"{'FAIL' if problem else 'ok':>4}  {name}{': ' + problem if problem else ''}",
            fg="red" if problem else "green",
        )
    if found:
        raise click.ClickException(f"{found} problem(s) found")


@main.command()
@click.argument("paths", type=ANY, nargs=-1, required=True)
@model_option
@json_option
@click.option("--out", type=FOLDER, help="Write the result objects and the montage here.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@plain_errors
def predict(
    paths: tuple[Path, ...], model: Path, as_json: bool, out: Path | None, device: str
) -> None:
    """Classify studies: DICOM folders or files, or NIfTI files."""
    from msnode.cli import predict

    predict.predict(paths, model, device, out, predict.as_json if as_json else predict.as_table)


@main.command()
@click.argument("paths", type=ANY, nargs=-1, required=True)
@model_option
@plain_errors
def explain(paths: tuple[Path, ...], model: Path) -> None:
    """Say which series of a study would be classified, and why the others not."""
    from msnode.cli import predict

    predict.explain(paths, model)


@main.command()
@click.option("--folder", type=FOLDER, default=Path("demo"), show_default=True)
@model_option
@plain_errors
def demo(folder: Path, model: Path) -> None:
    """Run node and PACS here, send the sample study, show what comes back."""
    from msnode.cli.demo import run

    run(folder, model, Console())


@main.command()
@click.argument("study")
@config_option
@plain_errors
def forget(study: str, config_file: Path) -> None:
    """Delete all that the node keeps of a STUDY: images, results, rows, jobs.

    STUDY is its StudyInstanceUID, or its key as in the log and in job IDs.
    """
    from msnode.cli import delete

    delete.forget_study(config_file, study)


@main.command()
@config_option
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@json_option
@plain_errors
def retention(config_file: Path, dry_run: bool, as_json: bool) -> None:
    """Delete now what is delivered and old, as the node does by itself every hour."""
    from msnode.cli import delete

    delete.apply_rules(config_file, dry_run=dry_run, as_json=as_json)


@main.group()
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


for command in (*peers.COMMANDS, *learn_train.COMMANDS):
    main.add_command(command)


def _log(level: int) -> None:
    """Log to stderr as journald and humans like it; libraries only when something is wrong."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.getLogger("msnode").setLevel(level)
    # pynetdicom and pydicom quote attribute values, which may identify a patient
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)

"""The commands that run a node, or see whether one could run."""

import logging
import os
import shutil
import signal
import threading
from pathlib import Path

import click

from msnode import config as configuration
from msnode.cli.logs import log_to_stderr
from msnode.cli.options import FOLDER, config_option, model_option, plain_errors

WATCH_S = 10.0  # between looks for systemd's watchdog
EXIT_S = 8.0  # after SIGTERM, whatever still hangs; systemd and people wait for ten


@click.command()
@config_option
@plain_errors
def serve(config_file: Path) -> None:
    """Run the node until SIGTERM: receive, analyse, report, deliver."""
    _run(config_file, receive=True, work=True)


@click.command()
@config_option
@plain_errors
def receive(config_file: Path) -> None:
    """Only receive; other hosts, with the same database and data folder, do the work."""
    _run(config_file, receive=True, work=False)


@click.command()
@config_option
@plain_errors
def work(config_file: Path) -> None:
    """Only analyse and deliver what other hosts receive."""
    _run(config_file, receive=False, work=True)


def _run(config_file: Path, *, receive: bool, work: bool) -> None:
    """Run a service in this process until it is told to stop."""
    config = configuration.load(config_file)  # a mistake is told before torch takes its seconds
    from multiprocessing.util import get_temp_dir

    from msnode.service import Service

    log_to_stderr(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Service(config, receive=receive, work=work) as service:
        while not stop.wait(WATCH_S):
            service.watch()
        # A step that waits for a slow peer, or a database that hangs, must not hold the exit up:
        # all that matters is durable by now, and the step is repeated at the next start.
        last = threading.Timer(EXIT_S, os._exit, [0])
        last.daemon = True
        last.start()
    shutil.rmtree(get_temp_dir(), ignore_errors=True)  # a fork server's socket
    logging.shutdown()
    os._exit(0)


@click.command()
@config_option
@click.option("--peers/--no-peers", default=True, help="Reach every destination.")
@plain_errors
def check(config_file: Path, peers: bool) -> None:
    """Validate a configuration: keys, model bundle, data folder, destinations."""
    config = configuration.load(config_file, files=True)
    import yaml

    from msnode.cli.check import problems  # torch, for the bundle; a typo is told without it

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


@click.command()
@click.option("--folder", type=FOLDER, default=Path("demo"), show_default=True)
@model_option
@plain_errors
def demo(folder: Path, model: Path) -> None:
    """Run node and PACS here, send the sample study, show what comes back."""
    from rich.console import Console

    from msnode.cli.demo import run

    run(folder, model, Console())

"""The commands that run a node, or see whether one could run."""

import json
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from prometheus_client import Counter

from msnode import config as configuration
from msnode import metrics, server_socket
from msnode.cli.child_process import Child
from msnode.cli.logs import log_to_stderr
from msnode.cli.options import (
    FOLDER,
    config_option,
    json_option,
    model_option,
    plain_errors,
)
from msnode.cli.stopping import StopSignal, end, end_soon, in_background

if TYPE_CHECKING:
    from msnode.service import Service

log = logging.getLogger(__name__)

WATCH_S = 10.0  # between looks for systemd's watchdog


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
    stop = StopSignal()
    config = configuration.load(config_file)
    log_to_stderr(logging.INFO, config.log)
    start = _Start(config, receive=receive, work=work)
    log.info("starting")
    service = in_background(lambda: start(stop), stop)
    with ExitStack() as stack:
        if service is not None:
            stack.push(service)
            if receive and work and config.pages is not None:
                _start_beside("pages", config_file, metrics.PAGES_ENDS, stack)
            if work and config.classify.shadow:
                _start_beside("shadow work", config_file, metrics.SHADOW_ENDS, stack)
        while not stop.wait(WATCH_S) and service is not None:
            service.watch()
        end_soon()
    end()


def _start_beside(command: str, config_file: Path, ends: Counter, stack: ExitStack) -> None:
    """Run a command in a process of its own, for as long as the node runs."""
    child = Child(command, config_file, ends)
    child.start()
    stack.callback(child.stop)


class _Start:
    """Starts a service; made before anything takes time, as a port may not be to be had."""

    def __init__(self, config: configuration.Config, *, receive: bool, work: bool) -> None:
        self._config = config
        self._roles = {"receive": receive, "work": work}
        places = {"http": (config.http.address, config.http.port)}
        if receive:
            places["receive"] = (config.receive.address, config.receive.port)
            if (web := config.receive.dicomweb) is not None:
                places["receive.dicomweb"] = (web.address, web.port)
            if (hl7 := config.receive.hl7) is not None:
                places["receive.hl7"] = (hl7.address, hl7.port)
        self._sockets = {name: server_socket.listen(name, *at) for name, at in places.items()}

    def __call__(self, stop: StopSignal) -> "Service":
        """Start, unless told to stop meanwhile."""
        from msnode.service import Service

        service = Service(
            self._config, **self._roles, sockets=self._sockets, is_stopping=lambda: stop.came
        )
        return service.__enter__()


@click.command()
@config_option
@click.option("--peers/--no-peers", default=True, help="Reach every destination.")
@click.option("--notices", is_flag=True, help="Send a test notice to each mail server and chat.")
@json_option
@plain_errors
def check(config_file: Path, peers: bool, notices: bool, as_json: bool) -> None:
    """Validate a configuration: keys, model bundle, data folder, destinations."""
    config = configuration.load(config_file, files=True)
    from msnode.cli.check import problems  # torch, for the bundle; a typo is told without it

    if not as_json:
        _show_masked(config)
    found = 0
    for name, problem in problems(config, peers=peers, notices=notices):
        found += problem is not None
        if as_json:
            click.echo(json.dumps({"name": name, "problem": problem}))
            continue
        click.secho(
            f"{'FAIL' if problem else 'ok':>4}  {name}{': ' + problem if problem else ''}",
            fg="red" if problem else "green",
        )
    if found:
        raise click.ClickException(f"{found} problem(s) found")


def _show_masked(config: configuration.Config) -> None:
    """Print what counts, without secrets."""
    import yaml

    click.echo(yaml.safe_dump(configuration.masked(config), sort_keys=False, allow_unicode=True))


@click.command()
@click.option("--folder", type=FOLDER, default=Path("demo"), show_default=True)
@model_option
@plain_errors
def demo(folder: Path, model: Path) -> None:
    """Run node and PACS here, send the sample study, show what comes back."""
    from rich.console import Console

    from msnode.cli.demo import run

    run(folder, model, Console())

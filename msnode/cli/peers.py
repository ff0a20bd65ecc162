"""The command line for peers: send and echo."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from msnode.cli.options import ANY, FILE, plain_errors

if TYPE_CHECKING:  # pydicom and pynetdicom take a while to import; --help should not
    from msnode.cli.scu import Call

PEER_OPTIONS = (
    click.option("--config", "config_file", type=FILE, help="Of a node: PEER may be a name in it."),
    click.option("--from", "title", help="Our AE title; by default the node's, or MSNODE."),
    click.option("--tls-cert", type=FILE, help="Our certificate (PEM); with it, TLS."),
    click.option("--tls-key", type=FILE, help="Its private key (PEM)."),
    click.option("--tls-ca", type=FILE, help="What may sign the peer's certificate (PEM)."),
)


def peer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Hand over as a `Call` which peer is meant, and how to talk to it."""

    @wraps(command)
    def wrapped(
        peer: str,
        config_file: Path | None,
        title: str | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls_ca: Path | None,
        **rest: object,
    ) -> None:
        from msnode.cli.scu import Call

        command(Call(peer, config_file, title, (tls_cert, tls_key, tls_ca)), **rest)

    for option in reversed(PEER_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


@click.command()
@click.argument("paths", type=ANY, nargs=-1, required=True)
@click.option("--to", "peer", required=True, metavar="PEER", help="Who gets them.")
@peer_options
@plain_errors
def send(call: "Call", paths: tuple[Path, ...]) -> None:
    """Send DICOM files or folders by C-STORE, as they are.

    PEER is AET@HOST:PORT, or with --config the name of one of its destinations.
    """
    from msnode.cli import scu

    if not scu.send(paths, call):
        sys.exit(1)


@click.command()
@click.argument("peer", metavar="PEER")
@peer_options
@plain_errors
def echo(call: "Call") -> None:
    """Ask a peer by C-ECHO whether it is there and lets us in.

    PEER is AET@HOST:PORT, or with --config the name of one of its destinations.
    """
    from msnode.cli import scu

    scu.echo(call)

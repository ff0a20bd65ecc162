"""Peers called by hand: who is meant, and what `msnode send` and `msnode echo` print."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from msnode import config
from msnode.cli.progress import progress
from msnode.config import Config, Destination, DicomPeer, Tls
from msnode.errors import ConfigError
from msnode.requestor import peer


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls whom, and how.

    Attributes:
        peer: ``AET@HOST:PORT``, or with a configuration the name of one of its destinations, or of
            its sources of earlier studies.
        config_file: of a node whose destinations, AE title and TLS files are used; or None.
        calling_ae_title: ours; None: the configuration's.
        tls: certificate, key and CA by option; all or none.
    """

    peer: str
    config_file: Path | None = None
    calling_ae_title: str | None = None
    tls: tuple[Path | None, Path | None, Path | None] = (None, None, None)

    @property
    def title(self) -> str:
        """Our AE title."""
        node = self._node or Config()
        return self.calling_ae_title or node.receive.ae_title

    @property
    def destination(self) -> DicomPeer:
        """Who is called.

        Raises:
            ConfigError: no such peer, or not all of the TLS files.
        """
        destination = self._named() or peer.parse_peer(self.peer)
        return destination if self._tls is None else replace(destination, tls=self._tls)

    @property
    def _node(self) -> Config | None:
        return None if self.config_file is None else config.load(self.config_file)

    def _named(self) -> DicomPeer | None:
        """A destination, or source, of the configuration; None where the peer is spelt out."""
        node = self._node
        if node is None:
            return None
        names: dict[str, Destination] = {
            one.name: peer
            for one in node.priors
            if isinstance(one, config.DicomSource)
            and (peer := config.peer_of(one, node.destinations)) is not None
        }
        names |= {destination.name: destination for destination in node.destinations}
        found = names.get(self.peer)
        if found is None and "@" not in self.peer:
            known = f"known: {', '.join(names)}" if names else "it has none"
            raise ConfigError(
                f"{self.config_file} has no destination {self.peer!r} ({known}); give one of "
                "them, or AET@HOST:PORT"
            )
        if found is None or isinstance(found, DicomPeer):
            return found
        raise ConfigError(f"destination {self.peer} is {found.WHAT}, no DICOM peer")

    @property
    def _tls(self) -> Tls | None:
        certificate, key, ca = self.tls
        if certificate is None and key is None and ca is None:
            return None
        if certificate is None or key is None or ca is None:
            raise ConfigError("TLS proves both sides: give --tls-cert, --tls-key and --tls-ca")
        return Tls(certificate, key, ca)


def send(paths: Sequence[Path], call: Call) -> bool:
    """Send files and folders; prints what did not arrive; True when everything did.

    Raises:
        ConfigError: the peer, or TLS files, cannot be used; or there is nothing to send.
    """
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise ConfigError("there is no file there: give DICOM files, or folders that hold some")
    destination = call.destination
    with progress("sending", len(files)) as advance:
        from msnode.deliver import c_store  # with the codecs, which an echo does without

    receipts = c_store.send(files, destination, call.title, lambda _: advance())
    failed = [(f, r) for f, r in zip(files, receipts, strict=True) if not r.delivered]
    console = Console()
    unasked = {receipt.detail for _, receipt in failed if receipt.status is None}
    for detail in sorted(unasked):  # the same for all: there was no association to send them on
        console.print(f"[red]no answer[/] {escape(detail)}")
    for file, receipt in failed:
        if receipt.status is not None:
            status = f"0x{receipt.status:04X}"
            told = f"{escape(str(file))} {status} {escape(receipt.detail)}"
            console.print(f"[red]not stored[/] {told}")
    console.print(f"{len(files) - len(failed)} of {len(files)} files stored by {call.peer}")
    return not failed


def echo(call: Call) -> None:
    """C-ECHO a peer and print how long it took.

    Raises:
        ConfigError: the peer, or TLS files, cannot be used.
        TryLater: it does not answer; says why.
    """
    destination = call.destination
    seconds = peer.echo(destination, call.title)
    secured = " over TLS" if destination.tls is not None else ""
    click.echo(f"{call.peer} answered in {seconds * 1000:.0f} ms{secured}")


def _files(path: Path) -> list[Path]:
    """Every file below a folder in a stable order, or the file itself."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]

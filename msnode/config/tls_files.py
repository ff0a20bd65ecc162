"""Which files of TLS sections cannot be read by whoever runs this."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msnode.config.destinations import Folder, Hl7Destination, Tls, Webhook
from msnode.config.prior_sources import PeerSource

if TYPE_CHECKING:
    from msnode.config.settings import Config


def unreadable(config: "Config") -> Iterator[str]:
    """Every file that cannot be read, of the listener, of peers and of the syslog server."""
    yield from unreadable_of("receive.tls", config.receive.tls)
    if config.receive.dicomweb is not None:
        yield from unreadable_of("receive.dicomweb.tls", config.receive.dicomweb.tls)
    if config.receive.hl7 is not None:
        yield from unreadable_of("receive.hl7.tls", config.receive.hl7.tls)
    for i, destination in enumerate(config.destinations):
        if not isinstance(destination, Folder):
            yield from unreadable_of(f"destinations.{i}.tls", destination.tls)
        if isinstance(destination, Webhook) and destination.ca is not None:
            yield from _unreadable(f"destinations.{i}.ca", destination.ca)
        if isinstance(destination, Hl7Destination) and destination.template is not None:
            yield from _unreadable(f"destinations.{i}.template", destination.template)
    for i, source in enumerate(config.priors):
        if isinstance(source, PeerSource):
            yield from unreadable_of(f"priors.{i}.tls", source.tls)
    if config.audit.syslog is not None:
        yield from unreadable_of("audit.syslog.tls", config.audit.syslog.tls)


def unreadable_of(where: str, tls: Tls | None) -> Iterator[str]:
    """Every file of one section that cannot be read."""
    if tls is not None:
        for name in ("certificate", "key", "ca"):
            yield from _unreadable(f"{where}.{name}", getattr(tls, name))


def _unreadable(where: str, path: Path) -> Iterator[str]:
    """A line where a file cannot be opened."""
    try:
        path.open("rb").close()
    except OSError as error:
        yield (
            f"{where}: {path} cannot be read: {error.strerror}; correct the path, or let the "
            "service's user read it"
        )

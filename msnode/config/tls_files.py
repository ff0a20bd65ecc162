"""Which files that the settings name cannot be read by whoever runs this."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msnode.config.destination import Tls, under
from msnode.config.pages import Pages
from msnode.config.prior_sources import PeerSource, WebSource

if TYPE_CHECKING:
    from msnode.config.settings import Config


def unreadable(config: "Config") -> Iterator[str]:
    """Every file that cannot be read, of the listener, of peers and of the syslog server."""
    yield from unreadable_of("receive.tls", config.receive.tls)
    if config.receive.dicomweb is not None:
        yield from unreadable_of("receive.dicomweb.tls", config.receive.dicomweb.tls)
    if config.receive.hl7 is not None:
        yield from unreadable_of("receive.hl7.tls", config.receive.hl7.tls)
    if config.pages is not None:
        yield from _of_pages(config.pages)
    for i, destination in enumerate(config.destinations):
        for key, path in destination.files:
            yield from unreadable_file(f"destinations.{i}.{key}", path)
    for i, source in enumerate(config.priors):
        files = under("tls", source.tls) if isinstance(source, PeerSource) else ()
        for key, path in source.files if isinstance(source, WebSource) else files:
            yield from unreadable_file(f"priors.{i}.{key}", path)
    for i, clinic in enumerate(config.clinical):
        for key, path in clinic.files:
            yield from unreadable_file(f"clinical.{i}.{key}", path)
    if config.audit.syslog is not None:
        yield from unreadable_of("audit.syslog.tls", config.audit.syslog.tls)


def _of_pages(pages: Pages) -> Iterator[str]:
    """Every file that the pages need and cannot have."""
    for name, path in pages.tls.files if pages.tls is not None else ():
        yield from unreadable_file(f"pages.tls.{name}", path)
    if pages.oidc is not None and pages.oidc.ca is not None:
        yield from unreadable_file("pages.oidc.ca", pages.oidc.ca)


def unreadable_of(where: str, tls: Tls | None) -> Iterator[str]:
    """Every file of one section that cannot be read."""
    for key, path in under(where, tls):
        yield from unreadable_file(key, path)


def unreadable_file(where: str, path: Path) -> Iterator[str]:
    """A line where a file cannot be opened."""
    try:
        path.open("rb").close()
    except OSError as error:
        yield (
            f"{where}: {path} cannot be read: {error.strerror}; correct the path, or let the "
            "service's user read it"
        )

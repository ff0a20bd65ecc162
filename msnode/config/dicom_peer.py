"""A DICOM peer as destination."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from msnode.config.constraints import AeTitle, Host, Port, Seconds
from msnode.config.destination import ObjectDestination, Tls, under


@dataclass(frozen=True, slots=True)
class DicomPeer(ObjectDestination):
    """A DICOM peer, by C-STORE."""

    WHAT: ClassVar = "a peer"

    ae_title: AeTitle
    """Called AE title."""
    host: Host
    """Host name or address."""
    port: Port = 104
    """TCP port."""
    tls: Tls | None = field(default=None, kw_only=True)
    """Null: plain TCP."""
    verify: Literal["none", "find", "commitment"] = field(default="none", kw_only=True)
    """When a result counts as delivered. none: the peer answered the C-STORE with success or a
    warning; find: a C-FIND shows the object; commitment: it took over the responsibility for it
    (storage commitment, PS3.4 J), for which it must be among ``receive.callers``."""
    verify_s: Seconds = field(default=300.0, kw_only=True)
    """Of commitment: without the peer's report for so long it is asked again."""

    def contradictions(self) -> Iterator[str]:
        """A time for what is not done."""
        yield from ObjectDestination.contradictions(self)
        usual = DicomPeer.__dataclass_fields__["verify_s"].default
        if self.verify != "commitment" and self.verify_s != usual:
            yield "verify_s: does nothing without verify: commitment; delete it"

    @property
    def place(self) -> object:
        """Host names are the same in any case."""
        return self.host.casefold().rstrip("."), self.port, self.ae_title.strip()

    @property
    def node(self) -> tuple[str, str]:
        """By AE title and host."""
        return self.ae_title, self.host

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Those of TLS."""
        return under("tls", self.tls)

    @property
    def proof(self) -> str:
        """As ``verify``."""
        return self.verify

"""An HL7 v2 system as destination: a RIS, an interface engine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from msnode.config.constraints import Hl7Name, Host, Port, Seconds
from msnode.config.destination import NamedDestination, Tls, under


@dataclass(frozen=True, slots=True)
class Hl7Destination(NamedDestination):
    """An HL7 v2 system that gets an ORU^R01 for each result, over MLLP (docs/hl7.md)."""

    WHAT: ClassVar = "an HL7 destination"

    mllp: Host
    """Host name or address."""
    port: Port = 2575
    """TCP port; 2575 is registered for HL7."""
    tls: Tls | None = field(default=None, kw_only=True)
    """Null: plain TCP, for a closed network segment: the message names the patient."""
    timeout_s: Seconds = field(default=30.0, kw_only=True)
    """It must take the connection, and acknowledge, within so long."""
    sending_application: Hl7Name = field(default="MSNODE", kw_only=True)
    """MSH-3."""
    sending_facility: Hl7Name = field(default="", kw_only=True)
    """MSH-4."""
    receiving_application: Hl7Name = field(default="", kw_only=True)
    """MSH-5."""
    receiving_facility: Hl7Name = field(default="", kw_only=True)
    """MSH-6."""
    processing: Literal["P", "T", "D"] = field(default="P", kw_only=True)
    """MSH-11: production, training or debugging."""
    status: Literal["R", "P", "F"] = field(default="R", kw_only=True)
    """OBR-25 and OBX-11. R: stored, not yet verified, which is what it is; P, preliminary, or F,
    final, where the receiver takes no R. With F a revision is a correction, C."""
    template: Path | None = field(default=None, kw_only=True)
    """Of the message; null: the one that comes with the program."""

    @property
    def place(self) -> object:
        """The host and port; two applications behind one port get a message each."""
        host = self.mllp.casefold().rstrip(".")
        return host, self.port, self.receiving_application, self.receiving_facility

    @property
    def node(self) -> tuple[str, str]:
        """Its name and host."""
        return self.name, self.mllp

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """TLS, and the template."""
        own = (("template", self.template),) if self.template is not None else ()
        return (*under("tls", self.tls), *own)

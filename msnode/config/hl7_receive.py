"""The settings of the HL7 v2 listener: who may send messages over MLLP."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from msnode.config.constraints import Label, ListeningPort, Network, OwnAddress
from msnode.config.destination import Tls


@dataclass(frozen=True, slots=True)
class Hl7Caller:
    """Who may send messages; it must fit all that is given here."""

    name: Label
    """In the log, in the audit trail and with each message: no patient data."""
    address: Network | None = None
    """Address or CIDR network it must call from; null: any."""
    subject: str | None = None
    """With TLS: a name that its certificate must carry, as subjectAltName or CN; null: none."""
    application: str | None = None
    """What MSH-3 must say of it, its first component; null: anything."""
    facility: str | None = None
    """What MSH-4 must say of it, its first component; null: anything."""

    def contradictions(self) -> Iterator[str]:
        """A caller that anybody could be."""
        if self.address is None and self.subject is None:
            yield "name: anybody may say a name; give the caller an address or a subject"
        if self.subject is not None and not self.subject.strip():
            yield "subject: is empty; give a name of its certificate, or delete it"


@dataclass(frozen=True, slots=True)
class Hl7:
    """HL7 v2 over MLLP. Limits and times are those of ``receive``, counted apart."""

    address: OwnAddress = "127.0.0.1"
    """Address to listen on; loopback by default."""
    port: ListeningPort = 2575
    """TCP port; 2575 is registered for HL7; 0 takes a free one."""
    tls: Tls | None = None
    """Null: plain TCP, for this host or a closed network segment. With it, whoever names no
    ``subject`` may come without a certificate."""
    callers: tuple[Hl7Caller, ...] = ()
    """Who may send; empty: nobody but loopback."""
    processing: Literal["P", "T", "D"] = "P"
    """MSH-11 of the messages that are taken: production, training or debugging. Others are
    rejected, so that a test system changes nobody's record."""

    def contradictions(self) -> Iterator[str]:
        """What TLS would have to carry, without TLS."""
        for i, caller in enumerate(self.callers):
            if caller.subject is not None and self.tls is None:
                why = "is in no certificate without TLS; set hl7.tls, or delete it"
                yield f"callers.{i}.subject: {why}"

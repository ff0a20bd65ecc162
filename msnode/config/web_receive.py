"""The settings of the STOW-RS listener: DICOM over HTTP, with callers of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from msnode.config.constraints import (
    AeTitle,
    ListeningPort,
    Network,
    OwnAddress,
    bearer_token,
    is_loopback,
)
from msnode.config.destination import Tls


@dataclass(frozen=True, slots=True)
class WebCaller:
    """Who may store by STOW-RS; it must fit all that is given here."""

    name: AeTitle
    """Stands where the AE title of a C-STORE would: in the log, the audit trail and with each
    image. So it obeys the same rule: 1 to 16 characters."""
    token: Annotated[str, bearer_token] | None = None
    """Its bearer token (RFC 6750), 16 characters or more, or ``sha256:`` and the token's SHA-256
    in hex; null: it needs none."""
    address: Network | None = None
    """Address or CIDR network it must call from; null: any."""
    subject: str | None = None
    """With TLS: a name that its certificate must carry, as subjectAltName or CN; null: none."""

    def contradictions(self) -> Iterator[str]:
        """A caller that anybody could be."""
        if self.token is None and self.address is None and self.subject is None:
            yield "name: anybody may say a name; give the caller a token, an address or a subject"
        if self.subject is not None and not self.subject.strip():
            yield "subject: is empty; give a name of its certificate, or delete it"


@dataclass(frozen=True, slots=True)
class Dicomweb:
    """STOW-RS (PS3.18 10.5): POST of instances to ``/studies`` and ``/studies/STUDY``.

    Limits and times are those of ``receive``, counted apart from its associations.
    """

    address: OwnAddress = "127.0.0.1"
    """Address to listen on; loopback by default, as images and tokens are for nobody else."""
    port: ListeningPort = 9104
    """TCP port; 0 takes a free one."""
    tls: Tls | None = None
    """Null: plain HTTP, for this host or a closed network segment. With it, whoever names no
    ``subject`` may come without a certificate."""
    callers: tuple[WebCaller, ...] = ()
    """Who may store; empty: nobody but loopback."""

    def contradictions(self) -> Iterator[str]:
        """What TLS would have to carry, without TLS."""
        if self.tls is not None:
            return
        for i, caller in enumerate(self.callers):
            if caller.subject is not None:
                why = "is in no certificate without TLS; set dicomweb.tls, or delete it"
                yield f"callers.{i}.subject: {why}"
            if caller.token is not None and not is_loopback(self.address):
                yield (
                    f"callers.{i}.token: would cross the network for all to read; set "
                    "dicomweb.tls, or listen on 127.0.0.1 behind a proxy that has TLS"
                )


def digest_of(token: str) -> str | None:
    """The SHA-256 in hex that a token is configured by; None where it is the token itself."""
    found = re.fullmatch(r"sha256:([0-9a-fA-F]{64})", token)
    return found[1].lower() if found else None

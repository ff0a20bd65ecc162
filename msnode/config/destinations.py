"""Where results go: to a DICOM peer, into a folder, or to a webhook."""

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from msnode.config.constraints import (
    AeTitle,
    Hl7Name,
    Host,
    Label,
    Port,
    Seconds,
    SharedSecret,
    in_order,
    is_loopback,
)


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS by BCP 195 (PS3.15 B.12): the site's CA signs both sides' certificates."""

    certificate: Path
    """PEM file with our certificate chain."""
    key: Path
    """PEM file with our private key; readable by the service's user alone."""
    ca: Path
    """PEM file with the certificates that may sign a peer's."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off with jitter: 10 s, 20 s, 40 s … 15 min, for two days by default."""

    first_s: Seconds = 10.0
    """Before the second attempt."""
    longest_s: Seconds = 900.0
    """The pause never exceeds this."""
    give_up_s: Seconds = 172800.0
    """After so long the result is dead-lettered and alerted."""

    def contradictions(self) -> Iterator[str]:
        """Times of which the second must not be the shorter one."""
        yield from in_order(self, "first_s", "longest_s")
        yield from in_order(self, "first_s", "give_up_s")


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a destination gets its result objects, where DICOM has several."""

    sr: Literal["comprehensive", "comprehensive-3d"] = "comprehensive"
    """SOP Class of the measurement SR, the content is the same: Comprehensive SR, or Comprehensive
    3D SR, which IHE AIR asks for and some PACS do not take."""
    overlay: Literal["single-frame", "multi-frame"] = "single-frame"
    """A Secondary Capture a slice, or one Multi-frame True Color Secondary Capture."""
    transfer_syntax: Literal[
        "ExplicitVRLittleEndian", "RLELossless", "JPEG2000Lossless", "JPEGLSLossless"
    ] = "ExplicitVRLittleEndian"
    """Of montage and overlay, by its keyword (PS3.6 A). A peer that does not take a compressed one
    gets them uncompressed."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What every destination has."""

    name: Label
    """Appears in logs, metrics and receipts: no patient data, unique."""
    retry: Retry = field(default_factory=Retry, kw_only=True)
    """How long a failed delivery is tried again."""


@dataclass(frozen=True, slots=True)
class ObjectDestination(_Named):
    """A destination that gets result objects, not the result in short."""

    profile: Literal["minimal", "standard", "full"] = field(default="minimal", kw_only=True)
    """minimal: SR and montage; standard: and readable SR and overlay; full: everything."""
    form: Form = field(default_factory=Form, kw_only=True)
    """In which form; a change counts for the studies that are reported after it."""

    @property
    def objects(self) -> str:
        """Names its result objects, the same for destinations that get the same ones.

        The profile, and of the form what is not usual: ``standard-multi-frame-RLELossless``.
        """
        both = zip(astuple(self.form), astuple(Form()), strict=True)
        return "-".join((self.profile, *(chosen for chosen, usual in both if chosen != usual)))

    def contradictions(self) -> Iterator[str]:
        """A form of what the profile does not have."""
        if self.profile == "minimal" and self.form.overlay != Form().overlay:
            yield "form.overlay: does nothing for the profile minimal; delete it, or take standard"


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


@dataclass(frozen=True, slots=True)
class Folder(ObjectDestination):
    """A folder of this host."""

    WHAT: ClassVar = "a folder"

    folder: Path
    """Gets the result files; created if it is not there."""


@dataclass(frozen=True, slots=True)
class Webhook(_Named):
    """An HTTP server that gets the result in short as signed JSON (docs/webhook.md)."""

    WHAT: ClassVar = "a webhook"

    url: str
    """Gets a POST for each result."""
    secret: SharedSecret = ""
    """Key of the signature, known to the receiver; 16 characters or more."""
    ca: Path | None = field(default=None, kw_only=True)
    """PEM file with what may sign its certificate; null: the system's authorities."""
    timeout_s: Seconds = field(default=10.0, kw_only=True)
    """It must take the connection, and then answer, within so long."""
    allow_http: bool = field(default=False, kw_only=True)
    """http to another host than this one, for a closed network segment."""
    tls: Tls | None = field(default=None, kw_only=True)
    """Null: https without a certificate of ours."""

    def contradictions(self) -> Iterator[str]:
        """RFC 9110 4.2: an http or https URL without a password."""
        host = _host_of(self.url)
        parts = self.url.partition("://")
        if host is None or parts[0] not in ("https", "http") or re.search(r"[^!-~]|#", self.url):
            yield "url: is no address of a webhook; write https://HOST[:PORT]/PATH"
        elif parts[0] == "http" and not (self.allow_http or is_loopback(host)):
            yield "url: http shows the result to the network; use https, or set allow_http"
        if self.tls is not None and self.ca is not None:
            yield "ca: does nothing beside tls, which has its own; delete it"


@dataclass(frozen=True, slots=True)
class Hl7Destination(_Named):
    """An HL7 v2 system that gets an ORU^R01 for each result, over MLLP (docs/hl7.md)."""

    WHAT: ClassVar = "an HL7 destination"

    mllp: Host
    """Host name or address."""
    port: Port = 2575
    """TCP port; 2575 is registered for HL7."""
    tls: Tls | None = field(default=None, kw_only=True)
    """Null: plain TCP, for a closed network segment: the message names the patient."""
    timeout_s: Seconds = field(default=30.0, kw_only=True)
    """It must take the connection, and then acknowledge, within so long."""
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


Destination = DicomPeer | Folder | Webhook | Hl7Destination

KEYS = {"host": DicomPeer, "folder": Folder, "url": Webhook, "mllp": Hl7Destination}
"""The key in a file that makes a destination one of its kind."""


def proof_by(destination: Destination) -> str:
    """How a destination proves that it keeps what it was sent; only a DICOM peer can."""
    return destination.verify if isinstance(destination, DicomPeer) else "none"


def _host_of(url: str) -> str | None:
    """The host in a URL; None where a port, IPv6 address or name is none, or a user is named."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and parts.username is None else None
        (host or "").encode("idna")
    except ValueError:
        return None
    return host

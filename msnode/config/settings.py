"""The settings: frozen dataclasses, one field a setting, with its unit and its reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msnode.config.clinical_source import FhirSource, same_names
from msnode.config.constraints import (
    AeTitle,
    Bytes,
    BytesOrNone,
    Count,
    Days,
    Host,
    Label,
    ListeningPort,
    LongString,
    Network,
    OwnAddress,
    Port,
    Seconds,
    StorageClass,
    Within,
    in_order,
    postgresql,
    series_token,
)
from msnode.config.destination import ObjectDestination, Tls
from msnode.config.destinations import Destination
from msnode.config.dicom_peer import DicomPeer
from msnode.config.drift_rules import Drift
from msnode.config.hl7_receive import Hl7
from msnode.config.models import Classify, Expect, Models, Outline, Priority
from msnode.config.notices import Notices
from msnode.config.overlaps import equal_ports, idle_callers, own_sources, wrong_destinations
from msnode.config.pages import Pages
from msnode.config.prior_sources import PriorSource, wrong_sources
from msnode.config.reader_reports import Feedback
from msnode.config.result_folder import Folder
from msnode.config.web_receive import Dicomweb

Conflicts = Literal["keep", "refuse", "replace"]

OURS = ("incoming", "instances", "work", "quarantine", "audit", "visits", "fetched", "shadow")
"""Folders in the data folder whose files the node takes in, moves and deletes."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A peer that may call us."""

    ae_title: AeTitle
    """Calling AE title (PS3.8 9.3.2), 1 to 16 characters."""
    address: Network | None = None
    """Address or CIDR network it must call from; null: any, as AE titles alone prove little."""
    subject: str | None = None
    """With TLS: a name that its certificate must carry, as subjectAltName or CN; null: any name, as
    long as the site's CA signed it."""
    rights: tuple[Literal["echo", "store"], ...] = ("echo", "store")
    """What it may do: C-ECHO, C-STORE. Reports on storage commitment are a destination's right."""
    max_associations: Count | None = None
    """At once; null: only the limit of ``receive`` counts."""

    def contradictions(self) -> Iterator[str]:
        """A caller that may do nothing."""
        if not self.rights:
            yield "rights: there are none; delete the caller, or give it echo or store"


@dataclass(frozen=True, slots=True)
class Receive:
    """The DICOM listener."""

    ae_title: AeTitle = "MSNODE"
    """Our AE title; associations called otherwise are rejected."""
    address: OwnAddress = "0.0.0.0"  # noqa: S104 - scanners are other hosts; callers are what limits access
    """Address to listen on."""
    port: ListeningPort = 11112
    """TCP port; 104 is DICOM's own, 11112 its registered unprivileged one; 0 takes a free one."""
    callers: tuple[Caller, ...] = ()
    """Who may call; empty: nobody but loopback, so that nothing is open by accident."""
    tls: Tls | None = None
    """Null: plain TCP, for a closed network segment."""
    max_associations: Annotated[int, Within(1, 10000)] = 32
    """At once; more are rejected as "local limit exceeded" (PS3.8 9.3.4). One address alone gets
    half of them, so that it keeps out nobody else."""
    max_pdu: Annotated[int, Within(4096, 2**24)] = 131072
    """Longest PDU we accept, bytes; a whole 256x256 slice in one PDU saves half the work."""
    network_timeout_s: Seconds = 60.0
    """A peer may take so long for each PDU, silence before it included; then it is aborted."""
    max_association_s: Seconds = 21600.0
    """An association that lasts longer is aborted, even a lively one."""
    warn_free_bytes: BytesOrNone = 20 * 1024**3
    """Below this much free space on the data disk an alert is due: a day's images or more."""
    min_free_bytes: BytesOrNone = 2 * 1024**3
    """Below this much instances are refused with 0xA700; it is left to the work under way."""
    max_instance_bytes: Bytes = 4 * 1024**3
    """A larger object is refused with 0xA700 before it fills the disk."""
    max_study_instances: Count = 20000
    """More instances of one study are refused with 0xA700; a 4D study may have some thousands."""
    conflicts: Conflicts = "keep"
    """Other content under a known SOPInstanceUID. keep: beside the first, which stays the study's
    (unless that could not be analysed); refuse: 0xC002; replace: it takes the first one's place,
    and a study that has a result gets a revised one."""
    accept: tuple[StorageClass, ...] = ()
    """Storage classes accepted beyond MR images and what a brain MRI study brings along (SC, SR,
    PR, KO, raw data, PDF): keywords as in pydicom.uid, e.g. CTImageStorage. They are stored and
    nothing more: they start no analysis and are never taken for MR images."""
    dicomweb: Dicomweb | None = None
    """STOW-RS on a port of its own; null: none."""
    hl7: Hl7 | None = None
    """HL7 v2 messages over MLLP on a port of its own; null: none."""

    def contradictions(self) -> Iterator[str]:
        """An alert after the refusal; callers that never count, or show what nobody asks for."""
        if self.warn_free_bytes < self.min_free_bytes:
            yield (
                f"warn_free_bytes: {self.warn_free_bytes} is below min_free_bytes, "
                f"{self.min_free_bytes}: the alert would come too late; raise it"
            )
        yield from idle_callers(self.callers)
        for i, caller in enumerate(self.callers):
            if caller.subject is not None and self.tls is None:
                why = "is in no certificate without TLS; set tls, or delete it"
                yield f"callers.{i}.subject: {why}"


@dataclass(frozen=True, slots=True)
class Complete:
    """When a study counts as complete."""

    quiet_s: Seconds = 5.0
    """With the series that the model needs present, and all associations that sent images of the
    study released: seconds without a new image."""
    idle_s: Seconds = 60.0
    """Without it: seconds without a new image before the study is taken as it is."""
    cap_s: Seconds = 1800.0
    """Seconds since the first image after which a study that never rests is taken as it is."""
    source: str | None = None
    """Name of the DICOM destination that has the studies, too (the PACS): it is asked by C-FIND how
    many images of each series it has, and a study of which it has more waits up to ``idle_s``."""

    def contradictions(self) -> Iterator[str]:
        """Times of which the second must not be the shorter one."""
        yield from in_order(self, "quiet_s", "idle_s")
        yield from in_order(self, "idle_s", "cap_s")


@dataclass(frozen=True, slots=True)
class Decode:
    """What reading a study's files may take; each study is read in a process of its own."""

    memory_bytes: Annotated[int, Within(2**28)] = 3 * 1024**3
    """More, and the study is not analysed; the largest that is accepted takes three quarters."""
    time_s: Seconds = 120.0
    """More, and the study is not analysed; a usual one takes less than one. Time for which others
    have the processor does not count, up to ten times as much."""


@dataclass(frozen=True, slots=True)
class Describe:
    """What the result objects say of us, and in which language."""

    language: Literal["en", "de", "fr", "es", "nl"] = "en"
    """Of the text; coded meanings stay standard."""
    institution: Annotated[str, LongString(0)] = ""
    """InstitutionName of our equipment (PS3.3 C.7.5.1); "" leaves the study's own."""
    serial_number: Annotated[str, LongString(1)] = "1"
    """DeviceSerialNumber; tells the nodes of one site apart."""
    token: Annotated[str, series_token] = ""
    """With it every SeriesDescription of a result begins with the token and the suggested reading
    priority (urgent, routine, not analysed), for worklists that go by it; at most 16 characters."""
    identity_on_pictures: bool = False
    """Whether name, ID and accession number stand in the montage's pixels, which get copied."""
    identity_on_pdf: bool = True
    """Whether they stand on the PDF, which gets printed."""


@dataclass(frozen=True, slots=True)
class Http:
    """Prometheus metrics, /healthz and /readyz."""

    address: OwnAddress = "127.0.0.1"
    """Loopback by default: metrics are nobody's business by accident."""
    port: ListeningPort = 9112
    """TCP port; 0 takes a free one."""


@dataclass(frozen=True, slots=True)
class Syslog:
    """A syslog server that collects audit messages: RFC 5424 over UDP, TCP or TLS."""

    host: Host
    """Host name or address; with TLS the one that its certificate is for."""
    port: Port = 514
    """514 of UDP and TCP; with TLS it is mostly 6514 (RFC 5425)."""
    transport: Literal["tcp", "udp"] = "tcp"
    """UDP never waits and never tells that a message was lost."""
    tls: Tls | None = None
    """Null: plain; the messages name patients by their ID, so only in a closed segment."""

    def contradictions(self) -> Iterator[str]:
        """TLS without a connection."""
        if self.tls is not None and self.transport == "udp":
            yield "transport: TLS needs a connection; use tcp, or delete tls"


@dataclass(frozen=True, slots=True)
class Audit:
    """Audit trail: DICOM audit messages (PS3.15 A.5) of what came, what went and who was refused.

    The only place outside the images and results where patient IDs are written.
    """

    file: bool = True
    """In the data folder: ``audit/NAME-ROLE.log``, a message a line."""
    max_file_bytes: Annotated[int, Within(1 << 16)] = 10 * 1024**2
    """A larger file is put aside under a number; some 7,000 messages, a busy week."""
    files: Annotated[int, Within(2, 10000)] = 100
    """So many are kept, the oldest goes: with the size above, at most 1 GiB."""
    syslog: Syslog | None = None
    """Null: none."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the node keeps what is delivered; null: until `msnode forget`.

    What has not reached every destination is kept whatever its age.
    """

    images_days: Days | None = 30.0
    """Images, counted from the last one or from their results' delivery; the PACS has them."""
    results_days: Days | None = 90.0
    """Result objects, likewise; their row in the database stays."""
    visits_days: Days | None = None
    """What later scans are compared with: the FLAIR and its outlines, some 5 MB a study; counted
    like results."""
    messages_days: Days | None = 90.0
    """HL7 v2 messages that were used, and orders of which nothing was told for so long."""
    quarantine_days: Days | None = None
    """Files that could not be made sense of, and messages that were refused: they are nowhere
    else, so somebody should look."""
    backups_days: Days | None = None
    """Copies of the SQLite database that upgrades made."""
    jobs_days: Days = 7.0
    """Records of jobs that ended well."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of a node."""

    data: Path = Path("/var/lib/msnode")
    """Folder of everything the node keeps; created with mode 0700."""
    database: Annotated[str, postgresql] | None = None
    """SQLAlchemy URL of a PostgreSQL database shared by several hosts; null: SQLite in ``data``."""
    name: Label = "msnode"
    """This node, stable over restarts and unique among hosts that share a database."""
    receive: Receive = field(default_factory=Receive)
    complete: Complete = field(default_factory=Complete)
    decode: Decode = field(default_factory=Decode)
    models: Models = field(default_factory=Models)
    classify: Classify = field(default_factory=Classify)
    lesions: Outline = field(default_factory=Outline)
    priority: Priority = field(default_factory=Priority)
    expect: Expect = field(default_factory=Expect)
    report: Describe = field(default_factory=Describe)
    destinations: tuple[Destination, ...] = ()
    priors: tuple[PriorSource, ...] = ()
    """Where earlier studies are fetched from that the node has never seen; empty: nowhere."""
    clinical: tuple[FhirSource, ...] = ()
    """FHIR servers that are asked what a clinic knows of patients; empty: none."""
    feedback: Feedback = field(default_factory=Feedback)
    drift: Drift = field(default_factory=Drift)
    http: Http = field(default_factory=Http)
    pages: Pages | None = None
    """For administrators and clinicians, in a process of their own; null: none."""
    notices: Notices = field(default_factory=Notices)
    retention: Retention = field(default_factory=Retention)
    audit: Audit = field(default_factory=Audit)
    log: Literal["text", "json"] = "text"
    """Of a running node, on stderr: lines for people, or a JSON object a line for programs."""

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the one database."""
        return self.database or f"sqlite:///{self.data / 'msnode.sqlite'}"

    @property
    def source(self) -> DicomPeer | None:
        """The destination that ``complete.source`` names."""
        return self.peer(self.complete.source)

    def peer(self, name: str | None) -> DicomPeer | None:
        """The DICOM destination of a name."""
        peers = (one for one in self.destinations if isinstance(one, DicomPeer))
        return next((one for one in peers if one.name == name), None)

    def contradictions(self) -> Iterator[str]:
        """Ports, destinations and folders among themselves; this node among its hosts."""
        yield from equal_ports(self.receive, self.http, self.pages)
        yield from wrong_destinations(self.receive, self.destinations)
        if self.complete.source is not None and self.source is None:
            yield (
                f"complete.source: no DICOM destination is called {self.complete.source!r}; "
                "give the name of the PACS under destinations"
            )
        asked = self.feedback.source
        if asked is not None and self.peer(asked.destination) is None:
            yield (
                f"feedback.source.destination: no DICOM destination is called "
                f"{asked.destination!r}; give the name of the PACS under destinations"
            )
        takes = any(isinstance(one, ObjectDestination) for one in self.destinations)
        if self.pages is not None and self.pages.feedback == "send" and not takes:
            yield "pages.feedback: no destination takes objects; give one, or keep feedback"
        yield from wrong_sources(self.priors, self.destinations)
        yield from own_sources(self.receive, self.priors)
        yield from same_names(self.clinical)
        if self.priors and self.lesions.bundle is None:
            yield (
                "priors: do nothing without lesions.bundle, as nothing is compared; delete "
                "one of the two settings"
            )
        for i, destination in enumerate(self.destinations):
            if isinstance(destination, Folder) and self._is_ours(destination.folder):
                folder = destination.folder
                yield f"destinations.{i}.folder: {folder} is the node's own; take another"
        if self.database is not None and self.name == Config().name:
            yield (
                "name: hosts that share a database need different ones, or they do the same work; "
                "give each its own, such as its host name"
            )

    def _is_ours(self, folder: Path) -> bool:
        """Whether the node takes in, moves and deletes files there."""
        parents = (folder.resolve(), *folder.resolve().parents)
        return any((self.data / name).resolve() in parents for name in OURS)

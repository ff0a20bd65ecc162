"""The settings: frozen dataclasses, one field a setting, with its unit and its reason."""

from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Literal

Conflicts = Literal["keep", "refuse", "replace"]

BUNDLE = Path(__file__).resolve().parents[2] / "models" / "hybrid"
"""The bundle beside the sources; a packaged installation names its own in the configuration."""


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
class Caller:
    """A peer that may call us."""

    ae_title: str
    """Calling AE title (PS3.8 9.3.2), 1 to 16 characters."""
    address: str | None = None
    """Address or CIDR network it must call from; null: any, as AE titles alone prove little."""
    subject: str | None = None
    """With TLS: a name that its certificate must carry, as subjectAltName or CN; null: any name, as
    long as the site's CA signed it."""
    rights: tuple[Literal["echo", "store"], ...] = ("echo", "store")
    """What it may do: C-ECHO, C-STORE. Reports on storage commitment are a destination's right."""
    max_associations: int | None = None
    """At once; null: only the limit of ``receive`` counts."""


@dataclass(frozen=True, slots=True)
class Receive:
    """The DICOM listener."""

    ae_title: str = "MSNODE"
    """Our AE title; associations called otherwise are rejected."""
    address: str = "0.0.0.0"  # noqa: S104 - scanners are other hosts; callers are what limits access
    """Address to listen on."""
    port: int = 11112
    """TCP port; 104 is DICOM's own, 11112 its registered unprivileged one; 0 takes a free one."""
    callers: tuple[Caller, ...] = ()
    """Who may call; empty: nobody but loopback, so that nothing is open by accident."""
    tls: Tls | None = None
    """Null: plain TCP, for a closed network segment."""
    max_associations: int = 32
    """At once; more are rejected as "local limit exceeded" (PS3.8 9.3.4). One address alone gets
    half of them, so that it keeps out nobody else."""
    max_pdu: int = 131072
    """Longest PDU we accept, bytes; a whole 256x256 slice in one PDU saves half the work."""
    network_timeout_s: float = 60.0
    """A peer may take so long for each PDU, silence before it included; then it is aborted."""
    max_association_s: float = 21600.0
    """An association that lasts longer is aborted, even a lively one."""
    warn_free_bytes: int = 20 * 1024**3
    """Below this much free space on the data disk an alert is due: a day's images or more."""
    min_free_bytes: int = 2 * 1024**3
    """Below this much instances are refused with 0xA700; it is left to the work under way."""
    max_instance_bytes: int = 4 * 1024**3
    """A larger object is refused with 0xA700 before it fills the disk."""
    max_study_instances: int = 20000
    """More instances of one study are refused with 0xA700; a 4D study may have some thousands."""
    conflicts: Conflicts = "keep"
    """Other content under a known SOPInstanceUID. keep: beside the first, which stays the study's
    (unless that could not be analysed); refuse: 0xC002; replace: it takes the first one's place,
    and a study that has a result gets a revised one."""
    accept: tuple[str, ...] = ()
    """Storage classes accepted beyond MR images and what a brain MRI study brings along (SC, SR,
    PR, KO, raw data, PDF): keywords as in pydicom.uid, e.g. CTImageStorage. They are stored and
    nothing more: they start no analysis and are never taken for MR images."""


@dataclass(frozen=True, slots=True)
class Complete:
    """When a study counts as complete."""

    quiet_s: float = 5.0
    """With the series that the model needs present: seconds without a new image."""
    idle_s: float = 60.0
    """Without it: seconds without a new image before the study is taken as it is."""
    cap_s: float = 1800.0
    """Seconds since the first image after which a study that never rests is taken as it is."""


@dataclass(frozen=True, slots=True)
class Decode:
    """What reading a study's files may take; each study is read in a process of its own."""

    memory_bytes: int = 3 * 1024**3
    """More, and the study is not analysed; the largest that is accepted takes three quarters."""
    time_s: float = 120.0
    """More, and the study is not analysed; a usual one takes less than one. Time for which others
    have the processor does not count, up to ten times as much."""


@dataclass(frozen=True, slots=True)
class Classify:
    """The classifier and the device it runs on."""

    bundle: Path = BUNDLE
    """Folder of the model bundle; a relative path counts from the configuration file."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the first GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 where the device computes it natively."""
    batch: int = 32
    """Slices at once; the memory limit of a small GPU."""
    threads: int = 0
    """CPU threads; 0: as many as there are cores."""


@dataclass(frozen=True, slots=True)
class Describe:
    """What the result objects say of us, and in which language."""

    language: Literal["en", "de", "fr", "es", "nl"] = "en"
    """Of the text; coded meanings stay standard."""
    institution: str = ""
    """InstitutionName of our equipment (PS3.3 C.7.5.1); "" leaves the study's own."""
    serial_number: str = "1"
    """DeviceSerialNumber; tells the nodes of one site apart."""
    token: str = ""
    """With it every SeriesDescription of a result begins with the token and the suggested reading
    priority (urgent, routine, not analysed), for worklists that go by it; at most 16 characters."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off with jitter: 10 s, 20 s, 40 s … 15 min, for two days by default."""

    first_s: float = 10.0
    """Before the second attempt."""
    longest_s: float = 900.0
    """The pause never exceeds this."""
    give_up_s: float = 172800.0
    """After so long the result is dead-lettered and alerted."""


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
class Destination:
    """Where results go: a DICOM peer (``host``, ``port``, ``ae_title``), ``folder`` or ``url``."""

    name: str
    """Appears in logs, metrics and receipts: no patient data, unique."""
    ae_title: str | None = None
    """Called AE title."""
    host: str | None = None
    """Host name or address."""
    port: int = 104
    """TCP port."""
    folder: Path | None = None
    """Folder that gets the result files, instead of a peer."""
    url: str | None = None
    """Webhook that gets the result in short as signed JSON, instead of a peer (docs/webhook.md)."""
    secret: str | None = None
    """Of a webhook: key of the signature, known to the receiver; 16 characters or more."""
    ca: Path | None = None
    """Of a webhook: PEM file with what may sign its certificate; null: the system's authorities."""
    timeout_s: float = 10.0
    """Of a webhook: it must take the connection, and then answer, within so long."""
    allow_http: bool = False
    """Of a webhook: http to another host than this one, for a closed network segment."""
    profile: Literal["minimal", "standard", "full"] = "minimal"
    """minimal: SR and montage; standard: and readable SR and overlay; full: everything."""
    form: Form = field(default_factory=Form)
    """In which form; a change counts for the studies that are reported after it."""
    tls: Tls | None = None
    """Null: plain TCP to a peer; to a webhook https without a certificate of ours."""
    retry: Retry = field(default_factory=Retry)
    """How long a failed delivery is tried again."""
    verify: Literal["none", "find", "commitment"] = "none"
    """When a result counts as delivered to a peer. none: it answered the C-STORE with success or a
    warning; find: a C-FIND shows the object; commitment: it took over the responsibility for it
    (storage commitment, PS3.4 J), for which it must be among ``receive.callers``."""
    verify_s: float = 300.0
    """Of commitment: without the peer's report for so long it is asked again."""

    @property
    def objects(self) -> str:
        """Names its result objects, the same for destinations that get the same ones.

        The profile, and of the form what is not usual: ``standard-multi-frame-RLELossless``.
        """
        both = zip(astuple(self.form), astuple(Form()), strict=True)
        return "-".join((self.profile, *(chosen for chosen, usual in both if chosen != usual)))


@dataclass(frozen=True, slots=True)
class Http:
    """Prometheus metrics, /healthz and /readyz."""

    address: str = "127.0.0.1"
    """Loopback by default: metrics are nobody's business by accident."""
    port: int = 9112
    """TCP port; 0 takes a free one."""


@dataclass(frozen=True, slots=True)
class Syslog:
    """A syslog server that collects audit messages: RFC 5424 over UDP, TCP or TLS."""

    host: str
    """Host name or address; with TLS the one that its certificate is for."""
    port: int = 514
    """514 of UDP and TCP; with TLS it is mostly 6514 (RFC 5425)."""
    transport: Literal["tcp", "udp"] = "tcp"
    """UDP never waits and never tells that a message was lost."""
    tls: Tls | None = None
    """Null: plain; the messages name patients by their ID, so only in a closed segment."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Audit trail: DICOM audit messages (PS3.15 A.5) of what came, what went and who was refused.

    The only place outside the images and results where patient IDs are written.
    """

    file: bool = True
    """In the data folder: ``audit/NAME-ROLE.log``, a message a line."""
    max_file_bytes: int = 10 * 1024**2
    """A larger file is put aside under a number; some 7,000 messages, a busy week."""
    files: int = 100
    """So many are kept, the oldest goes: with the size above, at most 1 GiB."""
    syslog: Syslog | None = None
    """Null: none."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the node keeps what is delivered; null: until `msnode forget`.

    What has not reached every destination is kept whatever its age.
    """

    images_days: float | None = 30.0
    """Images, counted from the last one or from their results' delivery; the PACS has them."""
    results_days: float | None = 90.0
    """Result objects, likewise; their row in the database stays."""
    quarantine_days: float | None = None
    """Files that could not be made sense of: they are nowhere else, so somebody should look."""
    backups_days: float | None = None
    """Copies of the SQLite database that upgrades made."""
    jobs_days: float = 7.0
    """Records of jobs that ended well."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of a node."""

    data: Path = Path("/var/lib/msnode")
    """Folder of everything the node keeps; created with mode 0700."""
    database: str | None = None
    """SQLAlchemy URL of a PostgreSQL database shared by several hosts; null: SQLite in ``data``."""
    name: str = "msnode"
    """This node, stable over restarts and unique among hosts that share a database."""
    receive: Receive = field(default_factory=Receive)
    complete: Complete = field(default_factory=Complete)
    decode: Decode = field(default_factory=Decode)
    classify: Classify = field(default_factory=Classify)
    report: Describe = field(default_factory=Describe)
    destinations: tuple[Destination, ...] = ()
    http: Http = field(default_factory=Http)
    retention: Retention = field(default_factory=Retention)
    audit: Audit = field(default_factory=Audit)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the one database."""
        return self.database or f"sqlite:///{self.data / 'msnode.sqlite'}"

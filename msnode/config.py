"""The configuration: frozen dataclasses, one field a setting, with its unit and its reason."""

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import cattrs
import yaml
from cattrs.errors import ForbiddenExtraKeysError

from msnode.errors import ConfigError

BUNDLE = Path(__file__).resolve().parent.parent / "models" / "hybrid"
"""The bundle beside the sources; a packaged installation names its own in the configuration."""

SECRETS = frozenset({"password", "secret", "database"})


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
    """At once; more are rejected as "local limit exceeded" (PS3.8 9.3.4)."""
    max_pdu: int = 131072
    """Longest PDU we accept, bytes; a whole 256x256 slice in one PDU saves half the work."""
    network_timeout_s: float = 60.0
    """An association that stays silent for so long is aborted."""
    min_free_bytes: int = 2 * 1024**3
    """Below this much free space on the data disk instances are refused with 0xA700."""
    max_instance_bytes: int = 4 * 1024**3
    """A larger object is refused with 0xA700 before it fills the disk."""
    accept: tuple[str, ...] = ()
    """Storage classes accepted beyond MR images: keywords as in pydicom.uid, e.g. CTImageStorage.
    Empty: those that a brain MRI study brings along (SC, SR, PR, KO, raw data, PDF)."""


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
    tls: Tls | None = None
    """Null: plain TCP to a peer; to a webhook https without a certificate of ours."""
    retry: Retry = field(default_factory=Retry)
    """How long a failed delivery is tried again."""


@dataclass(frozen=True, slots=True)
class Http:
    """Prometheus metrics, /healthz and /readyz."""

    address: str = "127.0.0.1"
    """Loopback by default: metrics are nobody's business by accident."""
    port: int = 9112
    """TCP port; 0 takes a free one."""


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
    classify: Classify = field(default_factory=Classify)
    report: Describe = field(default_factory=Describe)
    destinations: tuple[Destination, ...] = ()
    http: Http = field(default_factory=Http)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the one database."""
        return self.database or f"sqlite:///{self.data / 'msnode.sqlite'}"


def load(path: Path) -> Config:
    """Read a YAML file.

    Raises:
        ConfigError: lists every problem at once, each with its key and the fix.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse(raw if raw is not None else {}, path.resolve().parent)


def parse(raw: Any, base: Path) -> Config:
    """Turn the parsed YAML into a Config; relative paths count from ``base``."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(Path, lambda value, _: base / os.path.expandvars(str(value)))
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, _strict)
    try:
        config = converter.structure(raw, Config)
    except cattrs.BaseValidationError as error:
        problems = list(_problems(error, ""))
        raise ConfigError("the configuration has errors:\n  " + "\n  ".join(problems)) from error
    wrong = list(_contradictions(config))
    if wrong:
        raise ConfigError("the configuration has errors:\n  " + "\n  ".join(wrong))
    return config


def _strict(value: Any, kind: type) -> Any:
    """Take no value of another type, except a whole number for a float."""
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"must be {kind.__name__}, not {type(value).__name__} {value!r}")
    if kind is str:
        return os.path.expandvars(str(value))
    return value


def _problems(error: BaseException, where: str) -> Iterator[str]:
    """Every leaf of a cattrs error tree as one line."""
    if isinstance(error, ForbiddenExtraKeysError):
        known = [f.name for f in fields(error.cl)] if is_dataclass(error.cl) else []
        for name in sorted(error.extra_fields):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"
            yield f"{where}{name}: unknown key; {hint}"
    elif isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _problems(inner, where + _step(inner))
    elif isinstance(error, KeyError):
        yield f"{where.rstrip('.')}: missing; give it a value"
    else:
        yield f"{where.rstrip('.')}: {error}"


def _step(error: BaseException) -> str:
    """The key or index that cattrs noted on an error, as the next part of its path."""
    for note in getattr(error, "__notes__", ()):
        if match := re.search(r"attribute (\w+)|@ index (\d+)", note):
            return f"{match[1] or match[2]}."
    return ""


def _contradictions(config: Config) -> Iterator[str]:
    """Values that are right alone but not together, or outside their range."""
    yield from _title("receive.ae_title", config.receive.ae_title)
    if not 4096 <= config.receive.max_pdu <= 2**24:
        yield f"receive.max_pdu: {config.receive.max_pdu} is out of range; use 4096 to 16777216"
    for i, caller in enumerate(config.receive.callers):
        yield from _title(f"receive.callers.{i}.ae_title", caller.ae_title)
    for where, port in (("receive.port", config.receive.port), ("http.port", config.http.port)):
        if not 0 <= port <= 65535:
            yield f"{where}: {port} is no TCP port; use 0 to 65535"
    names = [destination.name for destination in config.destinations]
    for name in {n for n in names if names.count(n) > 1}:
        yield f"destinations: the name {name!r} is used twice; receipts need unique names"
    if not re.fullmatch(r"([!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?)?", config.report.token):
        yield f"report.token: {config.report.token!r} is none; use up to 16 ASCII characters"
    for i, destination in enumerate(config.destinations):
        yield from _destination(f"destinations.{i}", destination)


def _destination(where: str, destination: Destination) -> Iterator[str]:
    """A destination is a peer, a folder or a webhook."""
    peer = destination.host is not None and destination.ae_title is not None
    if [peer, destination.folder is not None, destination.url is not None].count(True) != 1:
        yield f"{where}: give either ae_title, host and port, or folder, or url and secret"
    if destination.ae_title is not None:
        yield from _title(f"{where}.ae_title", destination.ae_title)
    if destination.url is not None:
        yield from _webhook(where, destination, destination.url)


def _webhook(where: str, destination: Destination, url: str) -> Iterator[str]:
    """RFC 9110 4.2: an http or https URL without a password; the secret is not a guess."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and parts.username is None else None
        (host or "").encode("idna")
    except ValueError:  # a port, IPv6 address or name that is none
        host = None
    if host is None or parts.scheme not in ("https", "http") or re.search(r"[^!-~]|#", url):
        yield f"{where}.url: is no address of a webhook; write https://HOST[:PORT]/PATH"
    elif parts.scheme == "http" and not (destination.allow_http or _loopback(host)):
        yield f"{where}.url: http shows the result to the network; use https, or set allow_http"
    secret = destination.secret or ""
    if re.fullmatch(r"\$(\w+|\{\w+\})", secret):
        yield f"{where}.secret: names an environment variable that is not set; set it"
    elif len(secret) < 16:
        yield f"{where}.secret: is shorter than 16 characters; take `openssl rand -hex 32`"
    if destination.timeout_s <= 0:
        yield f"{where}.timeout_s: {destination.timeout_s} is no time; use seconds above 0"


def _loopback(host: str) -> bool:
    """Whether a host is this one, without asking a name server."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _title(where: str, title: str) -> Iterator[str]:
    """PS3.5 6.2 AE: 1 to 16 characters of the default repertoire without backslash."""
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", title) or not title.strip():
        yield f"{where}: {title!r} is no AE title; use 1 to 16 ASCII characters without backslash"


def masked(config: Config) -> dict[str, Any]:
    """The configuration as plain values with secrets hidden, for printing."""
    masked_values: dict[str, Any] = _mask(cattrs.unstructure(config))
    return masked_values


def _mask(value: Any) -> Any:
    """Replace every secret by stars, at any depth."""
    if isinstance(value, dict):
        return {k: "***" if k in SECRETS and v else _mask(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    if isinstance(value, str):  # a webhook's address may carry a key
        return re.sub(r"(://[^?]*\?).+", r"\1***", value)
    return str(value) if isinstance(value, Path) else value

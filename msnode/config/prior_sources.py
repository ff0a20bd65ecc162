"""Where earlier studies of a patient are fetched from: a DICOM peer, or a DICOMweb server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Annotated, ClassVar, Literal

from msnode.config.authorization import Authorization
from msnode.config.constraints import AeTitle, Count, Host, Hours, Label, Port, Seconds, Within
from msnode.config.destination import Retry, Tls
from msnode.config.destinations import Destination
from msnode.config.dicom_peer import DicomPeer
from msnode.config.http_server import HttpServer


@dataclass(frozen=True, slots=True)
class _Source:
    """What every source of earlier studies has."""

    name: Label
    """Appears in logs, metrics and jobs: no patient data, unique among the sources."""
    how_many: Annotated[int, Within(1, 20)] = field(default=2, kw_only=True)
    """Earlier studies of a patient at most, the newest ones; those that are here count."""
    years: Annotated[int, Within(1, 100)] = field(default=5, kw_only=True)
    """Older studies are not fetched."""
    wait_s: Seconds = field(default=120.0, kw_only=True)
    """A result waits so long at most; what comes later makes a revised one."""
    hours: Hours | None = field(default=None, kw_only=True)
    """Only then it is asked, in local time, e.g. "18:00-07:00"; null: at any time."""
    per_hour: Count = field(default=60, kw_only=True)
    """So many studies are fetched in an hour at most."""
    retry: Retry = field(default_factory=Retry, kw_only=True)
    """How long a source that does not answer is asked again."""

    @property
    def window(self) -> tuple[time, time] | None:
        """``hours``: from when, until when."""
        if self.hours is None:
            return None
        start, end = map(time.fromisoformat, self.hours.split("-"))
        return start, end


@dataclass(frozen=True, slots=True)
class DicomSource(_Source):
    """A source that is asked by C-FIND."""

    by: Literal["c-move", "c-get"] = field(default="c-move", kw_only=True)
    """c-move: it opens an association to our listener, for which it must know our AE title and
    address, and be among ``receive.callers``; c-get: the images come on our own association."""


@dataclass(frozen=True, slots=True)
class NamedSource(DicomSource):
    """A DICOM destination that has the studies, too."""

    WHAT: ClassVar = "a source that is a destination"

    source: str
    """Name of the destination."""


@dataclass(frozen=True, slots=True)
class PeerSource(DicomSource):
    """A DICOM peer that gets no results."""

    WHAT: ClassVar = "a source that is a peer of its own"

    ae_title: AeTitle
    """Called AE title."""
    host: Host
    """Host name or address."""
    port: Port = 104
    """TCP port."""
    tls: Tls | None = field(default=None, kw_only=True)
    """Null: plain TCP."""


@dataclass(frozen=True, slots=True)
class WebSource(HttpServer, _Source):
    """A DICOMweb server: QIDO-RS (PS3.18 10.6) and WADO-RS (PS3.18 10.4)."""

    WHAT: ClassVar = "a DICOMweb source"
    KEY: ClassVar = "dicomweb"

    dicomweb: str
    """Base URL of its service, to which ``/studies`` is added."""
    auth: Authorization | None = field(default=None, kw_only=True)
    """How the node proves who it is; null: only by its certificate, if at all."""

    @property
    def login(self) -> Authorization | None:
        """As ``auth``."""
        return self.auth

    def contradictions(self) -> Iterator[str]:
        """A base URL to which no path can be added."""
        yield from HttpServer.contradictions(self)
        if "?" in self.dicomweb:
            yield "dicomweb: has a query; give the base URL alone, as https://HOST/dicom-web"


PriorSource = NamedSource | PeerSource | WebSource

SOURCE_KEYS = {"source": NamedSource, "host": PeerSource, "dicomweb": WebSource}
"""The key in a file that makes a source one of its kind."""

GIVE_SOURCE = "either source, or ae_title, host and port, or dicomweb"
"""What a source needs in a file to be one."""


def peer_of(source: DicomSource, destinations: Sequence[Destination]) -> DicomPeer | None:
    """The peer that is asked; None where no DICOM destination has the name."""
    if isinstance(source, PeerSource):
        return DicomPeer(source.name, source.ae_title, source.host, source.port, tls=source.tls)
    peers = (one for one in destinations if isinstance(one, DicomPeer))
    called = source.source if isinstance(source, NamedSource) else None
    return next((one for one in peers if one.name == called), None)


def wrong_sources(
    sources: Sequence[PriorSource], destinations: Sequence[Destination]
) -> Iterator[str]:
    """Sources that name no destination, or have another one's name."""
    names: set[str] = set()
    for i, one in enumerate(sources):
        if one.name in names:
            yield f"priors.{i}.name: {one.name!r} is used twice; jobs need unique names"
        names.add(one.name)
        if isinstance(one, NamedSource) and peer_of(one, destinations) is None:
            yield (
                f"priors.{i}.source: no DICOM destination is called {one.source!r}; give the "
                "name of the PACS under destinations, or its ae_title, host and port"
            )

"""A DICOMweb server as destination."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from msnode.config.authorization import Authorization
from msnode.config.destination import ObjectDestination
from msnode.config.http_server import HttpServer


@dataclass(frozen=True, slots=True)
class StowServer(HttpServer, ObjectDestination):
    """A DICOMweb server, by STOW-RS (PS3.18 10.5)."""

    WHAT: ClassVar = "a DICOMweb server"
    KEY: ClassVar = "stow"

    stow: str
    """Base URL of its service: instances are POSTed to ``/studies`` below it."""
    auth: Authorization | None = field(default=None, kw_only=True)
    """How the node proves who it is; null: only by its certificate, if at all."""
    verify: Literal["none", "qido"] = field(default="none", kw_only=True)
    """When a result counts as delivered. none: the server answered that it stored it; qido: a
    search (QIDO-RS, PS3.18 10.6) shows it."""

    @property
    def login(self) -> Authorization | None:
        """As ``auth``."""
        return self.auth

    @property
    def node(self) -> tuple[str, str]:
        """By its name and host."""
        return self.name, self.host

    @property
    def proof(self) -> str:
        """As ``verify``."""
        return self.verify

    def contradictions(self) -> Iterator[str]:
        """A base URL to which no path can be added."""
        yield from HttpServer.contradictions(self)
        yield from ObjectDestination.contradictions(self)
        if "?" in self.stow:
            yield "stow: has a query; give the base URL alone, as https://HOST/dicom-web"

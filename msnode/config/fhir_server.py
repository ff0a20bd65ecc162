"""A FHIR server as destination."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from msnode.config.authorization import Authorization
from msnode.config.destination import NamedDestination
from msnode.config.fhir_patients import IssuerSystem, problems, system_of
from msnode.config.http_server import HttpServer


@dataclass(frozen=True, slots=True)
class FhirServer(HttpServer, NamedDestination):
    """A FHIR R4 server, which gets each result as a transaction (docs/fhir.md)."""

    WHAT: ClassVar = "a FHIR server"
    KEY: ClassVar = "fhir"

    fhir: str
    """Base URL of its REST API: transactions are POSTed to it."""
    patient_system: str = ""
    """URI: the system of Patient.identifier whose value is the PatientID (0010,0020)."""
    auth: Authorization | None = field(default=None, kw_only=True)
    """How the node proves who it is; null: only by its certificate, if at all."""
    patient: Literal["reference", "create"] = field(default="reference", kw_only=True)
    """reference: the server must know the Patient; create: one that it does not know is made, of
    the identifier alone. What the server has of a Patient is never changed."""
    issuers: tuple[IssuerSystem, ...] = field(default=(), kw_only=True)
    """Systems of IDs with an issuer. With any, IDs of an issuer that is not listed are nobody's;
    without, all IDs have ``patient_system``."""

    @property
    def login(self) -> Authorization | None:
        """As ``auth``."""
        return self.auth

    def system_of(self, issuer: str) -> str | None:
        """The system of an ID of an issuer, None where it is not known."""
        return system_of(issuer, self.patient_system, self.issuers)

    def contradictions(self) -> Iterator[str]:
        """A base URL with a query, systems that are no URI."""
        yield from HttpServer.contradictions(self)
        if "?" in self.fhir:
            yield "fhir: has a query; give the base URL alone, as https://HOST/fhir"
        yield from problems(self.patient_system, self.issuers)

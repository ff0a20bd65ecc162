"""A FHIR server that is asked what a clinic knows of patients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import ClassVar

from msnode.config.authorization import Authorization
from msnode.config.clinical_feed import ClinicalFeed
from msnode.config.constraints import Count, Hours, Label, Seconds
from msnode.config.destination import Retry
from msnode.config.http_server import HttpServer


@dataclass(frozen=True, slots=True)
class FhirSource(HttpServer, ClinicalFeed):
    """A FHIR R4 server: searched for the patients of whom there is a study here."""

    WHAT: ClassVar = "a FHIR source"
    KEY: ClassVar = "fhir"

    name: Label = field(kw_only=True)
    """Appears in logs, metrics and with each event: no patient data, unique among the sources."""
    fhir: str = field(kw_only=True)
    """Base URL of its REST API."""
    auth: Authorization | None = field(default=None, kw_only=True)
    """How the node proves who it is; null: only by its certificate, if at all."""
    every_s: Seconds = field(default=86400.0, kw_only=True)
    """So long after it was asked for a patient it is asked again; a new study asks at once."""
    hours: Hours | None = field(default=None, kw_only=True)
    """Only then it is asked, in local time, e.g. "18:00-07:00"; null: at any time."""
    per_hour: Count = field(default=120, kw_only=True)
    """For so many patients it is asked in an hour at most."""
    retry: Retry = field(default_factory=Retry, kw_only=True)
    """When it is asked again that did not answer; after ``give_up_s`` as of the next day."""

    @property
    def login(self) -> Authorization | None:
        """As ``auth``."""
        return self.auth

    @property
    def window(self) -> tuple[time, time] | None:
        """``hours``: from when, until when."""
        if self.hours is None:
            return None
        start, end = map(time.fromisoformat, self.hours.split("-"))
        return start, end

    def system_of(self, issuer: str) -> str | None:
        """The system of an ID of an issuer, None where it is not known."""
        found = {one.issuer: one.system for one in self.issuers}
        if self.patient_system and not (issuer and self.issuers):
            return self.patient_system
        return found.get(issuer)

    def contradictions(self) -> Iterator[str]:
        """A base URL with a query; nobody who could be asked for."""
        yield from HttpServer.contradictions(self)
        yield from ClinicalFeed.contradictions(self)
        if "?" in self.fhir:
            yield "fhir: has a query; give the base URL alone, as https://HOST/fhir"
        if not self.patient_system and not self.issuers:
            yield "patient_system: missing; without it or issuers no patient can be asked for"


def same_names(sources: Sequence[FhirSource]) -> Iterator[str]:
    """Sources of one name."""
    for i, one in enumerate(sources):
        if one.name in [other.name for other in sources[:i]]:
            yield f"clinical.{i}.name: {one.name!r} is used twice; events need unique names"

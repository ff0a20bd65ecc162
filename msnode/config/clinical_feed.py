"""How what other systems say of patients becomes clinical events: their IDs and their codes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from msnode.config.constraints import Within
from msnode.config.fhir_patients import IssuerSystem, problems

Kind = Literal[
    "edss", "treatment", "relapse", "relapse_review", "ocb", "kflc_index", "spinal_cord_lesion",
    "optic_nerve_lesion", "t25fw", "nine_hole_peg", "enhancing_lesions", "RIS", "CIS", "RRMS",
    "SPMS", "PPMS", "MS", "other",
]  # fmt: skip
"""Kinds of the clinical events (docs/twin.md), and diagnoses."""


@dataclass(frozen=True, slots=True)
class CodeOfKind:
    """A code of the site, and the kind of event that it stands for."""

    system: str
    """URI of the code system."""
    code: str
    """Of an Observation, a Condition, a medication, or the reason or type of an Encounter."""
    kind: Kind
    """Of the event; of a Condition the diagnosis; of a medication for MS treatment."""


@dataclass(frozen=True, slots=True)
class ClinicalFeed:
    """What the resources of a system need to be understood."""

    patient_system: str = ""
    """System of Patient.identifier whose value is a PatientID without an issuer. Without it and
    without ``issuers``: the only identifier, or the only one of type MR, as in a file."""
    issuers: tuple[IssuerSystem, ...] = ()
    """Systems of IDs with an issuer."""
    codes: tuple[CodeOfKind, ...] = ()
    """Codes of the site, besides those that docs/fhir.md names."""

    def contradictions(self) -> Iterator[str]:
        """Systems that are no URI, a code that stands for two kinds."""
        if self.patient_system or self.issuers:
            yield from problems(self.patient_system or "urn:none", self.issuers)
        seen: set[tuple[str, str]] = set()
        for i, one in enumerate(self.codes):
            if (one.system, one.code) in seen:
                yield f"codes.{i}.code: stands twice; give each code one kind"
            seen.add((one.system, one.code))


@dataclass(frozen=True, slots=True)
class FhirReceive(ClinicalFeed):
    """Bundles of FHIR R4, POSTed to ``/fhir`` of the STOW-RS listener (docs/fhir.md)."""

    max_bytes: Annotated[int, Within(1024, 64 * 1024**2)] = 8 * 1024**2
    """Of a Bundle, which is read as a whole."""

"""How a FHIR server names patients whom the images know by PatientID and issuer."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssuerSystem:
    """An issuer of patient IDs, in the words of DICOM and of FHIR."""

    issuer: str
    """IssuerOfPatientID (0010,0021), as in the images."""
    system: str
    """URI that Patient.identifier has as its system."""


def system_of(issuer: str, usual: str, issuers: tuple[IssuerSystem, ...]) -> str | None:
    """The system of an ID; None where it is not known, as another's would be another patient.

    Args:
        issuer: of the ID; "" where the images name none.
        usual: system of IDs without an issuer, and of all where no issuers are listed.
        issuers: those that are known.
    """
    if not issuer or not issuers:
        return usual
    return next((one.system for one in issuers if one.issuer == issuer), None)


def problems(usual: str, issuers: tuple[IssuerSystem, ...]) -> Iterator[str]:
    """Systems that are no URI, issuers that are named twice."""
    if not is_uri(usual):
        yield "patient_system: is no URI; give the system of Patient.identifier, as urn:oid:1.2.3"
    for i, one in enumerate(issuers):
        if not is_uri(one.system):
            yield f"issuers.{i}.system: is no URI; give the system of Patient.identifier"
        if not one.issuer or one.issuer in [other.issuer for other in issuers[:i]]:
            yield f"issuers.{i}.issuer: is empty, or stands twice; name each issuer once"


def is_uri(text: str) -> bool:
    """Whether a text can be a URI (RFC 3986): a scheme, a colon, and no spaces."""
    scheme, colon, rest = text.partition(":")
    return bool(colon and rest and scheme[:1].isalpha()) and text.isprintable() and " " not in text

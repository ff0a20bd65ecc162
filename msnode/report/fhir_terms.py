"""Codes, identifiers and references of FHIR R4, as the transaction needs them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from msnode.records.vocabulary import Coded
from msnode.report.codes import PRIVATE
from msnode.report.uids import NAMESPACE

Resource = dict[str, Any]

URI = "urn:ietf:rfc:3986"
"""System of identifiers that are URIs themselves (R4, Identifier)."""
STUDY = "urn:dicom:uid"
"""System of a StudyInstanceUID (R4, ImagingStudy.identifier)."""
UCUM = "http://unitsofmeasure.org"
PRIVATE_CODES = "urn:msnode:code"
"""System of our own codes, which are those of the scheme 99MSNODE in the DICOM objects."""
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    PRIVATE: PRIVATE_CODES,
}
"""URI by CodingSchemeDesignator (PS3.16 8)."""


def concept(coded: Any, text: str = "") -> Resource:
    """A CodeableConcept of a coded concept of the DICOM objects."""
    if isinstance(coded, Coded):
        value, scheme, meaning = coded
    else:
        value, scheme, meaning = coded.value, coded.scheme_designator, coded.meaning
    coding = {"system": SYSTEMS[scheme], "code": value, "display": meaning}
    return {"coding": [coding], "text": text or meaning}


def term(system: str, code: str, display: str = "") -> Resource:
    """A CodeableConcept of a code of terminology.hl7.org, or of a system by its URI."""
    uri = system if ":" in system else f"{TERMINOLOGY}/{system}"
    return {"coding": [{"system": uri, "code": code} | ({"display": display} if display else {})]}


def by_uid(uid: str) -> Resource:
    """An Identifier that is a UID (PS3.5 9) as URI."""
    return {"system": URI, "value": f"urn:oid:{uid}"}


def query(identifier: Mapping[str, str]) -> str:
    """A search for an identifier, as conditional requests and references need it.

    In values, comma, dollar, bar and backslash mean something (R4, 3.1.1.3).
    """
    parts = (identifier["system"], identifier["value"])
    escaped = ("".join(f"\\{c}" if c in "\\,$|" else c for c in part) for part in parts)
    return "identifier=" + "|".join(quote(part, safe="/:.") for part in escaped)


SIGNED = ("DiagnosticReport", "Observation")
"""What a physician may have made final at the server: that stays, and ours comes beside it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource in a transaction, with the request that brings it there.

    Attributes:
        resource: with an identifier, the first of its own.
        is_kept: what is there already stays as it is (conditional create); else it is updated
            (conditional update, R4 3.1.0.7.1).
    """

    resource: Resource
    is_kept: bool = False

    @property
    def url(self) -> str:
        """By which others in the transaction refer to it; the same in every attempt."""
        kind, name = self.resource["resourceType"], self._identifier["value"]
        return f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{kind} {name}')}"

    @property
    def reference(self) -> Resource:
        """A Reference to it."""
        return {"reference": self.url}

    @property
    def _identifier(self) -> Mapping[str, str]:
        first: Mapping[str, str] = self.resource["identifier"][0]
        return first

    @property
    def whole(self) -> Resource:
        """As it stands in the Bundle."""
        kind, search = self.resource["resourceType"], query(self._identifier)
        unsigned = "&status=preliminary" if kind in SIGNED else ""
        request = {"method": "PUT", "url": f"{kind}?{search}{unsigned}"}
        if self.is_kept:
            request = {"method": "POST", "url": kind, "ifNoneExist": search}
        return {"fullUrl": self.url, "resource": self.resource, "request": request}

"""A resource of another system in the terms that `event_fhir` reads."""

from typing import Any

from msnode.config import ClinicalFeed
from msnode.twin.clinical.event_fhir import LOCAL, SNOMED, Resource, code_of

TREATMENT = "treatment"
"""Kind of the medications that are one of MS: what else a patient takes is none."""
WITHOUT_UNIT = frozenset({"1", "{score}", "{count}", "{#}", ""})
"""UCUM for a number that is just that."""
FOUND = {"52101004": "present", "10828004": "present", "2667000": "absent", "260385009": "absent"}
"""SNOMED CT: present, positive; absent, negative."""

ENCOUNTERS = {"entered-in-error": "entered-in-error", "cancelled": "cancelled"} | dict.fromkeys(
    ("in-progress", "onleave", "finished"), "final"
)
"""Status of an Observation by that of an Encounter; one that is planned holds not yet."""


def in_our_terms(resource: Resource, feed: ClinicalFeed) -> Resource:
    """The same resource with our codes beside the site's, its value and time as we read them."""
    known = {(one.system, one.code): one.kind for one in feed.codes}
    kind = resource["resourceType"]
    if kind == "Encounter":
        return _encounter(resource, known)
    if kind == "MedicationStatement":
        concept = _with_ours(resource.get("medicationCodeableConcept", {}), known)
        is_treatment = code_of(concept, LOCAL) == TREATMENT
        return resource if is_treatment else resource | {"medicationCodeableConcept": {}}
    if kind not in ("Observation", "Condition"):
        return resource
    resource = resource | {"code": _with_ours(resource["code"], known)}
    return _observation(resource) if kind == "Observation" else resource


def _with_ours(concept: Resource, known: dict[tuple[str, str], Any]) -> Resource:
    """A CodeableConcept with a coding of ours first, where one of its own stands for it."""
    codings = concept.get("coding", [])
    ours = [
        {"system": LOCAL, "code": known[key]}
        for one in codings
        if (key := (one.get("system", ""), one.get("code", ""))) in known
    ]
    return concept | {"coding": [*ours, *codings]}


def _observation(resource: Resource) -> Resource:
    """Numbers without a unit, yes and no in SNOMED CT, an instant as its day."""
    if "valueInteger" in resource:
        resource = resource | {"valueQuantity": {"value": resource["valueInteger"]}}
    quantity = resource.get("valueQuantity")
    if quantity is not None and quantity.get("code", "") in WITHOUT_UNIT:
        resource = resource | {"valueQuantity": quantity | {"code": ""}}
    if "valueCodeableConcept" in resource:
        found = FOUND.get(code_of(resource["valueCodeableConcept"], SNOMED), "")
        resource = resource | ({"valueString": found} if found else {})
    if "effectiveInstant" in resource:
        resource = resource | {"effectiveDateTime": resource["effectiveInstant"]}
    return resource


def is_treatment(resource: Resource) -> bool:
    """Whether a MedicationStatement, in our terms, is about a treatment of MS."""
    return bool(resource["medicationCodeableConcept"])


def _encounter(resource: Resource, known: dict[tuple[str, str], Any]) -> Resource:
    """An Encounter as an Observation on the day on which it began: of a relapse, or of nothing."""
    concepts = [*resource.get("reasonCode", []), *resource.get("type", [])]
    ours = [code_of(_with_ours(one, known), LOCAL) for one in concepts]
    is_relapse = "relapse" in ours
    status = ENCOUNTERS.get(resource["status"], "registered") if is_relapse else "final"
    kept = ("meta", "identifier", "subject")
    named = {"id": f"Encounter/{resource['id']}"} if "id" in resource else {}
    return (
        {name: resource[name] for name in kept if name in resource}
        | named
        | {
            "resourceType": "Observation",
            "status": status,
            "code": {"coding": [{"system": LOCAL, "code": "relapse"}]} if is_relapse else {},
            "effectiveDateTime": resource.get("period", {}).get("start", ""),
        }
    )

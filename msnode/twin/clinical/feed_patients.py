"""Whom the resources of a Bundle are about: PatientID and issuer by what FHIR calls them."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from msnode.config import ClinicalFeed
from msnode.twin.clinical.event_fhir import Resource, code_of

Who = tuple[str, str]
"""PatientID and issuer."""


class FeedPatients:
    """The Patients of a Bundle, and what is known of others by their identifiers.

    Args:
        entries: of the Bundle.
        feed: the systems of their identifiers.
    """

    def __init__(self, entries: Sequence[Any], feed: ClinicalFeed) -> None:
        self._issuers = {one.system: one.issuer for one in feed.issuers}
        if feed.patient_system:
            self._issuers[feed.patient_system] = ""
        self._named: dict[str, set[Who | None]] = {}
        for entry in entries:
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict) and resource.get("resourceType") == "Patient":
                self._name(entry, resource)

    def _name(self, entry: Resource, resource: Resource) -> None:
        """Keep by which names a Patient is referred to."""
        try:
            who = self._who(resource)
        except (KeyError, TypeError, AttributeError, ValueError):
            who = None  # it is refused as an entry, and so is what refers to it
        for name in _names(entry, resource):
            self._named.setdefault(name, set()).add(who)

    def of(self, entry: Resource) -> Who | None:
        """The patient that an entry is about; None where that is not known, or not for sure."""
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            return self._who(resource)
        return self._referred(resource["subject"])

    def replaced_by(self, resource: Resource) -> tuple[str, str] | None:
        """The patient that took another's place; ("", "") where that is nobody who is known."""
        links = [one for one in resource.get("link", []) if one["type"] == "replaced-by"]
        if not links:
            return None
        return (self._referred(links[0]["other"]) if len(links) == 1 else None) or ("", "")

    def _referred(self, reference: Resource) -> Who | None:
        if "reference" in reference:
            told = str(reference["reference"])
            found = self._named.get(told) or self._named.get(_relative(told))
            if found is not None:
                return next(iter(found)) if len(found) == 1 else None
            if search := re.fullmatch(r"Patient\?identifier=([^|&]*)\|([^|&]+)", told):
                return self._known(unquote(search[1]), unquote(search[2]))
        identifier = reference.get("identifier", {})
        return self._known(identifier.get("system", ""), identifier.get("value", ""))

    def _known(self, system: str, value: str) -> Who | None:
        """Who has an identifier of a system that is configured."""
        if not value or system not in self._issuers:
            return None
        return str(value), self._issuers[system]

    def _who(self, resource: Resource) -> Who | None:
        """By the identifiers of a Patient; None where they name nobody, or several."""
        identifiers = [one for one in resource.get("identifier", []) if isinstance(one, dict)]
        current = [one for one in identifiers if one.get("use") != "old" and one.get("value")]
        if self._issuers:
            found = {self._known(one.get("system", ""), one["value"]) for one in current} - {None}
        else:
            records = [one for one in current if code_of(one.get("type", {})) == "MR"]
            found = {(str(one["value"]), _issuer(one)) for one in records or current}
        return next(iter(found)) if len(found) == 1 else None


def _issuer(identifier: Resource) -> str:
    return str(identifier.get("assigner", {}).get("display") or identifier.get("system") or "")


def _names(entry: Resource, resource: Resource) -> list[str]:
    """By which others refer to a Patient."""
    names = [entry.get("fullUrl"), f"Patient/{resource['id']}" if "id" in resource else None]
    return [name for name in names if isinstance(name, str)]


def _relative(reference: str) -> str:
    """Type and id of an absolute or versioned reference."""
    found = re.search(r"(Patient/[A-Za-z0-9.-]{1,64})(/_history/.*)?$", reference)
    return found[1] if found else reference

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
        base: base URL of the server that has them, where it was asked; "" where it is not known.
    """

    def __init__(self, entries: Sequence[Any], feed: ClinicalFeed, base: str = "") -> None:
        self._base = base.rstrip("/")
        self._issuers = {one.system: one.issuer for one in feed.issuers}
        if feed.patient_system:
            self._issuers[feed.patient_system] = ""
        self._named: dict[str, set[Who | None]] = {}
        self._placed: dict[str, set[tuple[str, Who | None]]] = {}
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
        url, identity = entry.get("fullUrl"), resource.get("id")
        if isinstance(url, str):
            self._named.setdefault(url, set()).add(who)
        if isinstance(identity, str):
            self._placed.setdefault(identity, set()).add((_base(entry) or self._base, who))

    def of(self, entry: Resource) -> Who | None:
        """The patient that an entry is about; None where that is not known, or not for sure."""
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            return self._who(resource)
        return self._referred(resource.get("subject", {}), entry)

    def replaced_by(self, entry: Resource) -> tuple[str, str] | None:
        """The patient that took another's place; ("", "") where that is nobody who is known."""
        resource = entry["resource"]
        links = [one for one in resource.get("link", []) if one["type"] == "replaced-by"]
        if not links:
            return None
        return (self._referred(links[0]["other"], entry) if len(links) == 1 else None) or ("", "")

    def _referred(self, reference: Resource, entry: Resource) -> Who | None:
        """Whom a reference of an entry means."""
        if "reference" in reference:
            told = str(reference["reference"])
            if found := self._named.get(told) or self._found(told, entry):
                return next(iter(found)) if len(found) == 1 else None
            if search := re.fullmatch(r"Patient\?identifier=([^|&]*)\|([^|&]+)", told):
                return self._known(unquote(search[1]), unquote(search[2]))
        identifier = reference.get("identifier", {})
        return self._known(identifier.get("system", ""), identifier.get("value", ""))

    def _found(self, told: str, entry: Resource) -> set[Who | None]:
        """Whom the reference may mean: a relative one those at the same server (R4, 2.36.4.1).

        An id says nothing about the Patient of the same id at another server.
        """
        parts = re.fullmatch(r"(?:(.+)/)?Patient/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?", told)
        if parts is None:
            return set()
        placed = self._placed.get(parts[2], set())
        if parts[1]:
            return {who for base, who in placed if base == parts[1]}
        here = _base(entry) or self._base
        return {who for base, who in placed if not base or not here or base == here}

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


def _base(entry: Resource) -> str:
    """Base URL of the server that an entry's fullUrl names; "" where it names none."""
    found = re.fullmatch(r"(https?://.+)/[A-Za-z]+/[A-Za-z0-9.-]{1,64}", str(entry.get("fullUrl")))
    return found[1] if found else ""

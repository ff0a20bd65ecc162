"""What a FHIR R4 server says: OperationOutcome by its codes, and the statuses of a Bundle."""

import json
import re
from typing import Any

JSON = "application/fhir+json"

MAY_PASS = frozenset(
    {"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled",
     "conflict", "not-found"}
)  # fmt: skip
"""Codes of http://hl7.org/fhir/issue-type after which the same request may succeed: what is
transient, what others did at the same time, and a Patient that the server does not know yet."""

ISSUE_TYPES = frozenset(
    {"invalid", "structure", "required", "value", "invariant", "security", "login", "unknown",
     "expired", "forbidden", "suppressed", "processing", "not-supported", "duplicate",
     "multiple-matches", "not-found", "deleted", "too-long", "code-invalid", "extension",
     "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
     "exception", "timeout", "incomplete", "throttled", "informational"}
)  # fmt: skip
"""All of them: another word is the server's, and may be anything."""


def content_of(body: bytes) -> dict[str, Any] | None:
    """The resource in a body; None where it is none in JSON."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def issue_codes(said: dict[str, Any] | None) -> list[str]:
    """The codes of an OperationOutcome's issues; its other words may name a patient."""
    if said is None or said.get("resourceType") != "OperationOutcome":
        return []
    issues = said.get("issue")
    listed = issues if isinstance(issues, list) else []
    found = [one.get("code") for one in listed if isinstance(one, dict)]
    return list(dict.fromkeys(one for one in found if isinstance(one, str) and one in ISSUE_TYPES))


def entry_statuses(said: dict[str, Any] | None) -> list[int]:
    """The status of each entry of a transaction-response; 0 where one has none."""
    if said is None or said.get("resourceType") != "Bundle":
        return []
    entries = said.get("entry")
    if said.get("type") != "transaction-response" or not isinstance(entries, list):
        return []
    return [_status(one) for one in entries]


def _status(entry: Any) -> int:
    response = entry.get("response") if isinstance(entry, dict) else None
    told = response.get("status") if isinstance(response, dict) else None
    found = re.match(r"([1-5][0-9]{2})(?![0-9])", told) if isinstance(told, str) else None
    return int(found[1]) if found else 0

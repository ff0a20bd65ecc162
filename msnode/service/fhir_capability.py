"""What of FHIR R4 the node answers, as a CapabilityStatement."""

from importlib.metadata import version
from typing import Any

from msnode.twin.clinical.fhir_feed import KINDS_OF

SINCE = "2026-11-29"
"""On which this last changed."""
FHIR_VERSION = "4.0.1"


def capability() -> dict[str, Any]:
    """For ``GET /fhir/metadata``: Bundles are taken, nothing is given out."""
    program = version("msnode")
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": SINCE,
        "kind": "instance",
        "software": {"name": "msnode", "version": program},
        "implementation": {"description": "msnode: what a clinic knows of patients, posted to it"},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Bundles are POSTed to the base; no resource can be read. "
                "Entries are known by their identifiers and versions: the same again adds nothing.",
                "resource": [
                    {
                        "type": kind,
                        "interaction": [{"code": "create"}, {"code": "update"}],
                        "documentation": "As an entry of a Bundle alone.",
                    }
                    for kind in sorted(KINDS_OF)
                ],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }

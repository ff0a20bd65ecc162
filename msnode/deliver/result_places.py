"""Where a result's objects lie in its folder, and which of them a destination gets."""

import json
from pathlib import Path

from msnode.config import Destination, FhirServer, Hl7Destination, ObjectDestination
from msnode.records.uid_hash import uid_hash

SIGNAL = "signal.json"
"""What webhooks get; it lies beside the folders with the other destinations' objects."""

FHIR = "fhir"
"""Folder beside them, with a transaction for each FHIR server, called as the destination is."""

MESSAGES = "hl7"
"""Folder of what HL7 destinations get, a message for each."""

SENT = "sent.json"
"""Which of these folders each destination gets, by its settings when the study was reported."""


def sent_folders(folder: Path) -> dict[str, str]:
    """Which objects of a generation each destination got; empty where that is not known."""
    path = folder / SENT
    return json.loads(path.read_text()) if path.exists() else {}


def message_path(folder: Path, destination: Hl7Destination) -> Path:
    """Where the message for a destination lies."""
    return folder / MESSAGES / f"{uid_hash(destination.name)}.hl7"


def files_for(folder: Path, destination: Destination) -> list[Path]:
    """All files of a result that go to a destination; none where it came to be configured later."""
    if isinstance(destination, ObjectDestination):
        name = sent_folders(folder).get(destination.name, destination.objects)
        return sorted(folder.glob(f"{name}/*.dcm"))
    if isinstance(destination, FhirServer):
        path = folder / FHIR / f"{destination.name}.json"
    elif isinstance(destination, Hl7Destination):
        path = message_path(folder, destination)
    else:
        path = folder / SIGNAL
    return [path] if path.exists() else []

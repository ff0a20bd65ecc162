"""Where results go: the kinds of destination, and what tells one from the other in a file."""

from msnode.config.dicom_peer import DicomPeer
from msnode.config.fhir_server import FhirServer
from msnode.config.hl7_destination import Hl7Destination
from msnode.config.result_folder import Folder
from msnode.config.signed_webhook import Webhook
from msnode.config.stow_server import StowServer

Destination = DicomPeer | Folder | Webhook | StowServer | FhirServer | Hl7Destination

KEYS = {
    "host": DicomPeer,
    "folder": Folder,
    "url": Webhook,
    "stow": StowServer,
    "fhir": FhirServer,
    "mllp": Hl7Destination,
}
"""The key in a file that makes a destination one of its kind."""

GIVE = (
    "either ae_title, host and port, or folder, or url and secret, or stow, or fhir and "
    "patient_system, or mllp"
)
"""What a destination needs in a file to be one."""

"""What was asked of a source and what it sent, for the audit trail.

PS3.15 A.5.3.3 (begin), A.5.3.7 (instances transferred), A.5.3.10 (query).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset
from pydicom.filereader import read_file_meta_info
from pynetdicom.dsutils import encode

from msnode.audit import Node, Trail, Transfer
from msnode.fetch.way import Way
from msnode.requestor.query import FIND


def queried(trail: Trail, way: Way, query: Dataset) -> None:
    """A source was asked for the studies of a patient, by C-FIND or, with its keys, QIDO-RS."""
    encoded = encode(query, True, True) or b""  # Implicit VR Little Endian
    trail.queried(Node(*way.node), str(FIND), encoded)


def begun(trail: Trail, way: Way, study_instance_uid: str, patient_id: str) -> None:
    """A source is about to send images of a study."""
    trail.begin(Transfer(Node(*way.node), trail.us, study_instance_uid, patient_id))


def ended(
    trail: Trail, way: Way, study_instance_uid: str, patient_id: str, files: Sequence[Path]
) -> None:
    """Images came on our own association."""
    classes = (str(read_file_meta_info(path).MediaStorageSOPClassUID) for path in files)
    transfer = Transfer(
        Node(*way.node), trail.us, study_instance_uid, patient_id, dict(Counter(classes))
    )
    trail.transferred(transfer, succeeded=True, new=True)

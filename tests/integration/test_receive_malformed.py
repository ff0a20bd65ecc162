"""Files that break DICOM in 224 ways: each gets an answer, and nothing breaks."""

import collections
import re
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID, CTImageStorage, MRImageStorage
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from tests.acceptance.peers import dcmtk
from tests.integration.listening import Receiver, associated, pause_reactor

Listen = Callable[..., Receiver]


def test_the_malformed_corpus_is_answered(
    listen: Listen, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = listen(accept=("CTImageStorage",))
    paths = [path for path in (shared / "dicom" / "malformed").rglob("*") if path.is_file()]
    answers: collections.Counter[int] = collections.Counter()
    with associated(receiver) as association:
        for path in paths:
            answers[store_raw(association, path.read_bytes())] += 1
    assert answers.total() == len(paths)
    assert set(answers) <= {0x0000, 0xA900, 0xC000}
    assert [record.message for record in caplog.records if record.exc_info] == []
    assert len(receiver.rows()) <= answers[0]
    assert dcmtk("echoscu", "-aec", "MSNODE", *receiver.peer).returncode == 0


def store_raw(association: Association, part10: bytes) -> int:
    """C-STORE bytes that no library would agree to send; returns the status."""
    encoded = part10[132:] if part10[128:132] == b"DICM" else part10
    meta_length = struct.unpack_from("<I", encoded.ljust(12), 8)[0]
    if meta_length < len(encoded):
        encoded = encoded[12 + meta_length :]
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    # what the dataset seems to say, so that the listener has to look further
    is_ct = _uid(encoded, 0x16, MRImageStorage) == CTImageStorage
    request.AffectedSOPClassUID = UID(CTImageStorage if is_ct else MRImageStorage)
    request.AffectedSOPInstanceUID = UID(_uid(encoded, 0x18, "1.2.3"))
    request.DataSet = BytesIO(encoded or b"\0\0")
    pause_reactor(association)
    association.dimse.send_msg(request, 3 if is_ct else 1)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert isinstance(response, C_STORE), "no answer"
    status = response.Status
    assert isinstance(status, int)
    return status


def _uid(encoded: bytes, element: int, default: str) -> str:
    """The UID in an element of group 0008, in Explicit VR Little Endian."""
    tag = re.escape(struct.pack("<HH2s", 8, element, b"UI"))
    found = re.search(tag + rb"..([0-9.]{1,64})", encoded, re.DOTALL)
    return (
        found[1].decode()
        if found and UID(found[1].decode(), pydicom.config.IGNORE).is_valid
        else default
    )

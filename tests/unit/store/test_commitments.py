"""Reports on storage commitment, as peers write them."""

import pytest
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from msnode.errors import Refused
from msnode.records.receipt import Commitment
from msnode.store.commitments import read_report


def reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = SecondaryCaptureImageStorage
    item.ReferencedSOPInstanceUID = uid
    return item


def test_a_report_is_read() -> None:
    information = Dataset()
    information.TransactionUID = "2.25.7"
    information.ReferencedSOPSequence = [reference("2.25.1")]
    failed = reference("2.25.2")
    failed.FailureReason = 0x0112
    information.FailedSOPSequence = [failed]
    assert read_report(information) == Commitment(
        "2.25.7", frozenset({"2.25.1"}), {"2.25.2": 0x0112}
    )


def test_an_incomplete_report_names_what_is_missing() -> None:
    with pytest.raises(Refused, match="TransactionUID"):
        read_report(Dataset())
    damaged = Dataset()
    damaged.TransactionUID = "2.25.1"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = SecondaryCaptureImageStorage, "1"
    damaged.FailedSOPSequence = [item]
    with pytest.raises(Refused, match="FailureReason"):
        read_report(damaged)

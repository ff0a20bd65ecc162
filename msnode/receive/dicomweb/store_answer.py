"""The answer to a STOW-RS request: status (PS3.18 10.5.3) and what became of each instance."""

import json
from collections.abc import Sequence

from msnode.receive.dicom.dimse_status import OUT_OF_RESOURCES, SUCCESS, StoreRefused
from msnode.receive.dicomweb.part10_part import Stored
from msnode.receive.inbox.identity import check_uid

OK, ACCEPTED, CONFLICT, TOO_LARGE, UNAVAILABLE = 200, 202, 409, 413, 503
RETRY_AFTER_S = 60
LASTING = ("max_instance_bytes", "max_study_instances")
"""Limits that the same instance exceeds another time, too."""


def status_of(instances: Sequence[Stored]) -> int:
    """200: all are stored; 202: some; else none is.

    Of these 503 where each may be sent again later, 413 where each is too large, else 409.
    """
    failed = [one for one in instances if one.status != SUCCESS]
    if not failed:
        return OK
    if len(failed) < len(instances):
        return ACCEPTED
    if all(one.limit == "max_instance_bytes" for one in failed):
        return TOO_LARGE
    if all(one.status == OUT_OF_RESOURCES and one.limit not in LASTING for one in failed):
        return UNAVAILABLE
    return CONFLICT


def body_of(instances: Sequence[Stored]) -> bytes:
    """The Store Instances Response Module (PS3.18 I.2) as DICOM JSON (PS3.18 F).

    Without Retrieve URLs: what is stored here cannot be retrieved from here.
    """
    stored = [_reference(one) for one in instances if one.status == SUCCESS]
    failed = [one for one in instances if one.status != SUCCESS]
    named = [_reference(one) | _reason(one.status) for one in failed if _is_named(one)]
    others = sorted({one.status for one in failed if not _is_named(one)})
    sequences = {
        "00081198": named,  # FailedSOPSequence
        "00081199": stored,  # ReferencedSOPSequence
        "0008119A": [_reason(status) for status in others],  # OtherFailuresSequence
    }
    found = {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
    return json.dumps(found, separators=(",", ":")).encode()


def _reference(one: Stored) -> dict[str, object]:
    return {
        "00081150": {"vr": "UI", "Value": [one.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [one.sop_instance_uid]},
    }


def _reason(status: int) -> dict[str, object]:
    return {"00081197": {"vr": "US", "Value": [status]}}


def _is_named(one: Stored) -> bool:
    """Whether its UIDs are some, and can stand in an answer."""
    try:
        check_uid("SOPClassUID", one.sop_class_uid)
        check_uid("SOPInstanceUID", one.sop_instance_uid)
    except StoreRefused:
        return False
    return True

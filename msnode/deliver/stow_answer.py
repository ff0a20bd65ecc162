"""What a DICOMweb server's answer to a STOW-RS request of one instance means (PS3.18 10.5.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from pydicom import Dataset

from msnode.config import StowServer
from msnode.deliver.c_store import NOT_SUPPORTED, Item
from msnode.deliver.peer_answers import describe, outcome
from msnode.records.receipt import Receipt
from msnode.requestor.http_answer import NO_ENTRY, Answer

PROCESSING_FAILURE = 0x0110
"""FailureReason of what the answer does not say more about (PS3.18 I.2.2)."""
THERE_ALREADY = (0x0111, 0xB00E)
"""Duplicate SOP Instance (PS3.7 C.5.8), and the reason by which some servers say the same."""
READABLE = ("application/dicom+json", "application/json")
UNREAD = ("application/dicom+xml", "application/xml", "text/xml")
"""What an answer may be, though JSON was asked for; its status stands for itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says of the one instance.

    Attributes:
        failure: FailureReason; None where none is said.
        is_mine: the failure, or else the success, names the instance.
        names_others: as stored, and not the instance.
        warning: WarningReason, 0 for none.
    """

    failure: int | None = None
    is_mine: bool = False
    names_others: bool = False
    warning: int = 0


def judged(answer: Answer, item: Item, destination: StowServer) -> Receipt:
    """A receipt for one instance; its text is ours, as the server's may name a patient."""
    receipt = partial(Receipt, destination.name, item.sop_instance_uid)
    said = _read(answer, item.sop_instance_uid)
    if said is not None and said.failure is not None:
        return _failed(said.failure, said, answer, receipt)
    if answer.is_success:
        return _taken(said, answer, receipt)
    no_entry = answer.status in NO_ENTRY and destination.auth is not None
    retry = answer.may_pass or no_entry or answer.status == HTTPStatus.CONFLICT
    not_supported = answer.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    status = NOT_SUPPORTED if not_supported else PROCESSING_FAILURE
    return receipt(status, False, 1, answer.detail, retry=retry)


def _failed(reason: int, said: Said, answer: Answer, receipt: Callable[..., Receipt]) -> Receipt:
    """The instance was not stored, for a reason that is a status of C-STORE."""
    delivered = reason in THERE_ALREADY and said.is_mine
    if outcome(reason) == "delivered" and not delivered:  # a failure that calls itself a success
        reason = PROCESSING_FAILURE
    detail = f"{answer.detail}: {describe(reason)}"
    retry = not delivered and outcome(reason) == "retry"
    return receipt(reason, delivered, 1, detail, retry=retry)


def _taken(said: Said | None, answer: Answer, receipt: Callable[..., Receipt]) -> Receipt:
    """The instance was stored, unless the answer names another one, or says half of it."""
    is_unclear = answer.status == HTTPStatus.ACCEPTED and not (said and said.is_mine)
    if said is None and answer.body and answer.media_type not in UNREAD:
        why = f"{answer.detail}: the answer is none of STOW-RS; is the base URL right?"
    elif is_unclear or (said and said.names_others):
        why = f"{answer.detail}: the answer does not name the object as stored"
    else:
        warning = said.warning if said else 0
        return receipt(0, True, 1, f"{answer.detail}: {describe(warning)}" if warning else "")
    return receipt(None, False, 1, why, retry=True)


def _read(answer: Answer, uid: str) -> Said | None:
    """The Store Instances Response Module (PS3.18 I.2) as DICOM JSON; None where it is none.

    What has a failure that cannot be understood has failed.
    """
    if answer.media_type not in READABLE:
        return None
    try:
        found = Dataset.from_json(answer.body.decode())
    except Exception:  # noqa: BLE001 - whatever it is
        return None
    try:
        return _said(found, uid)
    except Exception:  # noqa: BLE001 - likewise; the server may say it better next time
        return Said(failure=PROCESSING_FAILURE)


def _said(found: Dataset, uid: str) -> Said:
    for name in ("FailedSOPSequence", "OtherFailuresSequence"):
        for one in found.get(name) or ():
            reason = one.get("FailureReason")
            is_mine = one.get("ReferencedSOPInstanceUID") == uid
            return Said(int(reason) if reason is not None else PROCESSING_FAILURE, is_mine)
    stored = list(found.get("ReferencedSOPSequence") or ())
    mine = [one for one in stored if one.get("ReferencedSOPInstanceUID") == uid]
    warning = mine[0].get("WarningReason") if mine else None
    return Said(None, bool(mine), bool(stored) and not mine, int(warning or 0))

"""What a DICOMweb server's answer to a STOW-RS request of one instance means (PS3.18 10.5.3)."""

from http import HTTPStatus

from pydicom import Dataset

from msnode.config import StowServer
from msnode.deliver.c_store import NOT_SUPPORTED, Item
from msnode.deliver.peer_answers import describe, outcome
from msnode.records.receipt import Receipt
from msnode.requestor.http_answer import NO_ENTRY, Answer

PROCESSING_FAILURE = 0x0110
"""FailureReason of what the answer does not say more about (PS3.18 I.2.2)."""


def judged(answer: Answer, item: Item, destination: StowServer) -> Receipt:
    """A receipt for one instance; its text is ours, as the server's may name a patient."""
    said = _content(answer)
    failure = _failure(said)
    if failure is not None:
        return _failed(failure, answer, item, destination)
    if answer.is_success:
        return _taken(said, answer, item, destination)
    no_entry = answer.status in NO_ENTRY and destination.auth is not None
    retry = answer.may_pass or no_entry or answer.status == HTTPStatus.CONFLICT
    not_supported = answer.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    status = NOT_SUPPORTED if not_supported else PROCESSING_FAILURE
    return Receipt(
        destination.name, item.sop_instance_uid, status, False, 1, answer.detail, retry=retry
    )


def _failed(reason: int, answer: Answer, item: Item, destination: StowServer) -> Receipt:
    """The instance was not stored, for a reason that is a status of C-STORE."""
    meaning = outcome(reason)
    return Receipt(
        destination.name,
        item.sop_instance_uid,
        reason,
        delivered=meaning == "delivered",
        attempts=1,
        detail=f"{answer.detail}: {describe(reason)}",
        retry=meaning == "retry",
    )


def _taken(said: Dataset | None, answer: Answer, item: Item, destination: StowServer) -> Receipt:
    """The instance was stored, unless the answer names another one, or says half of it."""
    stored = _items(said, "ReferencedSOPSequence")
    mine = [one for one in stored if one.get("ReferencedSOPInstanceUID") == item.sop_instance_uid]
    unclear = answer.status == HTTPStatus.ACCEPTED and not mine
    detail = answer.detail
    if unclear or (stored and not mine):
        detail += ": the answer does not name the object as stored"
        return Receipt(destination.name, item.sop_instance_uid, None, False, 1, detail, retry=True)
    warning = mine[0].get("WarningReason") if mine else None
    detail = f"{detail}: {describe(int(warning))}" if warning else ""
    return Receipt(destination.name, item.sop_instance_uid, 0, True, 1, detail)


def _failure(said: Dataset | None) -> int | None:
    """The FailureReason of what was not stored; None where all was, as far as is said."""
    for name in ("FailedSOPSequence", "OtherFailuresSequence"):
        for one in _items(said, name):
            reason = one.get("FailureReason")
            return int(reason) if reason is not None else PROCESSING_FAILURE
    return None


def _content(answer: Answer) -> Dataset | None:
    """The Store Instances Response Module (PS3.18 I.2); None where the answer has none."""
    try:
        return Dataset.from_json(answer.body.decode())
    except Exception:  # noqa: BLE001 - whatever it is; the status stands for itself
        return None


def _items(said: Dataset | None, name: str) -> list[Dataset]:
    """The items of a sequence; none where there is none."""
    value = said.get(name) if said is not None else None
    return list(value) if value else []

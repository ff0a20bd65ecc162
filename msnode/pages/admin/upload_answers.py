"""What is said of a file that was uploaded."""

from http import HTTPStatus

from msnode.receive.dicom.dimse_status import (
    CLASS_NOT_SUPPORTED,
    CONFLICT,
    NOT_UNDERSTOOD,
    OUT_OF_RESOURCES,
    SUCCESS,
    SYNTAX_NOT_SUPPORTED,
    WRONG_CLASS,
)
from msnode.receive.dicomweb.part10_part import Stored

REFUSED = {
    CLASS_NOT_SUPPORTED: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "upload_class"),
    SYNTAX_NOT_SUPPORTED: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "upload_syntax"),
    NOT_UNDERSTOOD: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "upload_not_dicom"),
    WRONG_CLASS: (HTTPStatus.CONFLICT, "upload_contradicts"),
    CONFLICT: (HTTPStatus.CONFLICT, "upload_conflict"),
}
LIMITS = {
    "max_instance_bytes": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "upload_too_large"),
    "max_study_instances": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "upload_too_many"),
}
NO_ROOM = HTTPStatus.INSUFFICIENT_STORAGE, "upload_no_room"
NOT_NOW = HTTPStatus.SERVICE_UNAVAILABLE, "upload_not_now"


def answer(stored: Stored) -> tuple[HTTPStatus, str]:
    """Status of the answer, and the phrase in the section ``admin``."""
    if stored.status == SUCCESS:
        return HTTPStatus.OK, f"upload_{stored.outcome}"
    if stored.limit in LIMITS:
        return LIMITS[stored.limit]
    if stored.status == OUT_OF_RESOURCES:
        return NOT_NOW if "Database" in stored.comment else NO_ROOM
    return REFUSED.get(stored.status, REFUSED[NOT_UNDERSTOOD])

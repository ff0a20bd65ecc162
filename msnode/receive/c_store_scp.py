"""One C-STORE request, from its command set to the response."""

from msnode import config
from msnode.receive.dicom.dimse import HIGH, Command
from msnode.receive.dicom.dimse_status import CLASS_NOT_SUPPORTED, NOT_UNDERSTOOD, StoreRefused
from msnode.receive.dicom.negotiation import Context
from msnode.receive.dicom.sop_classes import right
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.reception import Announced, Reception


class CStore(Reception):
    """An instance being received by C-STORE.

    Args:
        command: the C-STORE-RQ.
        context: the presentation context it came on.
        caller: calling AE title.
        receive: limits.
        inbox: where the instance goes.
    """

    def __init__(
        self, command: Command, context: Context, caller: str, receive: config.Receive, inbox: Inbox
    ) -> None:
        announced = Announced(
            command.sop_class_uid,
            command.sop_instance_uid,
            context.transfer_syntax_uid,
            caller,
            is_urgent=command.priority == HIGH,
            is_answer=command.move_originator == receive.ae_title.strip(),
        )
        super().__init__(announced, receive, inbox, _unacceptable(command, context))

    def misplace(self) -> None:
        """Refuse a dataset from another context than its command: its encoding is unknown."""
        why = "Dataset came on another presentation context"
        self.refuse(StoreRefused(NOT_UNDERSTOOD, why))


def _unacceptable(command: Command, context: Context) -> StoreRefused | None:
    """Why a command set is refused before its dataset is looked at."""
    if command.sop_class_uid != context.sop_class_uid:
        return StoreRefused(CLASS_NOT_SUPPORTED, "AffectedSOPClassUID is not the context's")
    if right(command.sop_class_uid) != "store":
        return StoreRefused(CLASS_NOT_SUPPORTED, "AffectedSOPClassUID is no storage class")
    return None

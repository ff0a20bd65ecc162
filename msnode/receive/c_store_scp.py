"""One C-STORE request, from its command set to the response."""

import time

from msnode import config, metrics
from msnode.errors import TryLater
from msnode.receive.dicom.dimse import HIGH, Command
from msnode.receive.dicom.dimse_status import (
    CLASS_NOT_SUPPORTED,
    CONFLICT,
    NOT_UNDERSTOOD,
    OUT_OF_RESOURCES,
    SUCCESS,
    WRONG_CLASS,
    StoreRefused,
    refusal,
)
from msnode.receive.dicom.negotiation import Context
from msnode.receive.dicom.sop_classes import right
from msnode.receive.inbox.identity import Header, check_uid
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.part10 import Spool, file_meta
from msnode.receive.inbox.rows import Arrival
from msnode.records.uid_hash import uid_hash
from msnode.store.disk_space import Level
from msnode.store.patients import patient_key


class CStore:
    """An instance being received. Once it is refused, the rest is read and the refusal sent.

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
        self._command = command
        self._context = context
        self._caller = caller
        self._inbox = inbox
        self._limits = receive
        self.header: Header | None = None  # once read
        self._spool: Spool | None = None
        self._refused: StoreRefused | None = None
        try:
            self._spool = self._open()
        except StoreRefused as refused:
            self._refuse(refused)
        except OSError as error:
            self._refuse(refusal(error))

    def _open(self) -> Spool:
        """Open the file for it, if the command set is acceptable."""
        if self._command.sop_class_uid != self._context.sop_class_uid:
            raise StoreRefused(CLASS_NOT_SUPPORTED, "AffectedSOPClassUID is not the context's")
        if right(self._command.sop_class_uid) != "store":
            raise StoreRefused(CLASS_NOT_SUPPORTED, "AffectedSOPClassUID is no storage class")
        check_uid("AffectedSOPInstanceUID", self._command.sop_instance_uid)
        self._ask_for_room()
        meta = file_meta(
            self._command.sop_class_uid,
            self._command.sop_instance_uid,
            self._context.transfer_syntax_uid,
            self._caller,
        )
        return Spool(self._inbox.new_path(), meta, self._limits.max_instance_bytes)

    def _ask_for_room(self) -> None:
        """Refuse the instance if the free disk space is below the limit."""
        if self._inbox.room.level() == Level.FULL:
            raise StoreRefused(
                OUT_OF_RESOURCES, "Less free space than receive.min_free_bytes", "min_free_bytes"
            )

    def _refuse(self, refused: StoreRefused) -> None:
        self._refused = self._refused or refused
        self.close()

    def misplace(self) -> None:
        """Refuse a dataset from another context than its command: its encoding is unknown."""
        why = "Dataset came on another presentation context"
        self._refuse(StoreRefused(NOT_UNDERSTOOD, why))

    def write(self, fragment: memoryview) -> None:
        """Append a fragment of the dataset."""
        if self._spool is None:
            return
        try:
            self._ask_for_room()  # a large object fills a disk by itself
            self._spool.write(fragment)
        except StoreRefused as refused:
            self._refuse(refused)
        except OSError as error:
            self._refuse(refusal(error))

    def finish(self) -> tuple[int, str, str]:
        """Keep the instance.

        Returns:
            DIMSE status, ErrorComment, and the outcome as in ``metrics.INSTANCES``.
        """
        try:
            outcome = self._keep()
        except StoreRefused as refused:
            self._refused = refused
        except OSError as error:
            self._refused = refusal(error)
        except TryLater:
            self._refused = StoreRefused(OUT_OF_RESOURCES, "Database unavailable")
        else:
            return SUCCESS, "", outcome
        finally:
            self.close()
        status, comment = self._refused.status, self._refused.comment
        return (
            status,
            comment,
            "refused" if status in (CLASS_NOT_SUPPORTED, WRONG_CLASS, CONFLICT) else "failed",
        )

    def _keep(self) -> str:
        """Check what the dataset says of itself, then hand it to the inbox."""
        if self._spool is None:
            raise self._refused or StoreRefused(WRONG_CLASS, "No dataset")
        syntax = self._context.transfer_syntax_uid
        self.header = header = self._spool.header(syntax)
        if header.sop_class_uid != self._command.sop_class_uid:
            raise StoreRefused(WRONG_CLASS, "SOPClassUID is not the AffectedSOPClassUID")
        if header.sop_instance_uid != self._command.sop_instance_uid:
            raise StoreRefused(WRONG_CLASS, "SOPInstanceUID is not the AffectedSOPInstanceUID")
        if self._spool.has_other_pixels(syntax):
            raise StoreRefused(NOT_UNDERSTOOD, "PixelData is not in the context's transfer syntax")
        study_key = uid_hash(header.study_instance_uid)
        whose = patient_key(self._inbox.secret, header.patient_id, header.issuer)
        if self._is_answer() and self._inbox.fetched.is_asked(header, whose):
            self._inbox.fetched.store(header, self._spool, self._limits.max_study_instances)
            metrics.RECEIVED_BYTES.inc(self._spool.dataset_size)
            return "fetched"
        arrival = Arrival(
            header=header,
            patient_key=whose,
            transfer_syntax_uid=syntax,
            size=self._spool.size,
            sha256=self._spool.sha256,
            calling_ae_title=self._caller,
            received_at=time.time(),
            stat=self._command.priority == HIGH
            or (self._inbox.is_first(study_key) and self._spool.is_urgent(syntax)),
        )
        if self._inbox.is_full(arrival, self._limits.max_study_instances):
            why = "More instances than receive.max_study_instances"
            raise StoreRefused(OUT_OF_RESOURCES, why, "max_study_instances")
        outcome = self._inbox.store(arrival, self._spool)
        if outcome == "stored":
            metrics.RECEIVED_BYTES.inc(self._spool.dataset_size)
        return outcome

    def _is_answer(self) -> bool:
        """Whether it says that we asked for it, which alone proves nothing."""
        return self._command.move_originator == self._limits.ae_title.strip()

    @property
    def limit(self) -> str:
        """The setting whose limit it exceeded, "" if none."""
        return self._refused.limit if self._refused is not None else ""

    def close(self) -> None:
        """Delete the file if it did not become part of the inbox."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

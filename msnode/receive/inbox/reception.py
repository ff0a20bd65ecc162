"""An instance on its way into the inbox, whatever protocol brings it."""

import time
from dataclasses import dataclass

from msnode import config, metrics
from msnode.errors import TryLater
from msnode.receive.dicom.dimse_status import (
    CLASS_NOT_SUPPORTED,
    CONFLICT,
    NOT_UNDERSTOOD,
    OUT_OF_RESOURCES,
    SUCCESS,
    SYNTAX_NOT_SUPPORTED,
    WRONG_CLASS,
    StoreRefused,
    refusal,
)
from msnode.receive.inbox.identity import Header, check_uid
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.part10 import Spool, file_meta
from msnode.receive.inbox.rows import Arrival
from msnode.records.uid_hash import uid_hash
from msnode.store.disk_space import Level
from msnode.store.patients import accession_key, patient_key

REFUSED = (CLASS_NOT_SUPPORTED, SYNTAX_NOT_SUPPORTED, WRONG_CLASS, CONFLICT)
"""The statuses that count as refused; others have failed."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a sender says of an instance before its dataset comes.

    Attributes:
        caller: AE title of the sender, or the name that stands for it.
        prefix: of the attributes that said so: ``Affected`` of a command set, ``MediaStorage`` of
            File Meta Information.
        is_urgent: its sender gave it high priority.
        is_answer: it says that we asked for it, which alone proves nothing.
        study_instance_uid: the only study that it may belong to; None: any.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    caller: str
    prefix: str = "Affected"
    is_urgent: bool = False
    is_answer: bool = False
    study_instance_uid: str | None = None


class Reception:
    """An instance being received. Once it is refused, the rest is read and the refusal answered.

    Args:
        announced: what it is to be.
        receive: limits.
        inbox: where the instance goes.
        refused: it is refused already.

    Attributes:
        header: what the dataset says it is, once that is read.
    """

    def __init__(
        self,
        announced: Announced,
        receive: config.Receive,
        inbox: Inbox,
        refused: StoreRefused | None = None,
    ) -> None:
        self._announced = announced
        self._inbox = inbox
        self._limits = receive
        self.header: Header | None = None
        self._spool: Spool | None = None
        self._refused = refused
        try:
            self._spool = None if refused is not None else self._open()
        except StoreRefused as error:
            self.refuse(error)
        except OSError as error:
            self.refuse(refusal(error))

    def _open(self) -> Spool:
        """Open the file for it."""
        said = self._announced
        check_uid(f"{said.prefix}SOPInstanceUID", said.sop_instance_uid)
        self._ask_for_room()
        meta = file_meta(
            said.sop_class_uid, said.sop_instance_uid, said.transfer_syntax_uid, said.caller
        )
        return Spool(self._inbox.new_path(), meta, self._limits.max_instance_bytes)

    def _ask_for_room(self) -> None:
        """Refuse the instance if the free disk space is below the limit."""
        if self._inbox.room.level() == Level.FULL:
            raise StoreRefused(
                OUT_OF_RESOURCES, "Less free space than receive.min_free_bytes", "min_free_bytes"
            )

    def refuse(self, refused: StoreRefused) -> None:
        """Keep nothing of it; the first reason counts."""
        self._refused = self._refused or refused
        self.close()

    def write(self, fragment: memoryview) -> None:
        """Append a fragment of the dataset."""
        if self._spool is None:
            return
        try:
            self._ask_for_room()  # a large object fills a disk by itself
            self._spool.write(fragment)
        except StoreRefused as refused:
            self.refuse(refused)
        except OSError as error:
            self.refuse(refusal(error))

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
        return status, comment, "refused" if status in REFUSED else "failed"

    def _keep(self) -> str:
        """Check what the dataset says of itself, then hand it to the inbox."""
        if self._spool is None:
            raise self._refused or StoreRefused(WRONG_CLASS, "No dataset")
        syntax = self._announced.transfer_syntax_uid
        self.header = header = self._spool.header(syntax)
        self._compare(header)
        if self._spool.has_other_pixels(syntax):
            raise StoreRefused(NOT_UNDERSTOOD, "PixelData is not in the context's transfer syntax")
        whose = patient_key(self._inbox.secret, header.patient_id, header.issuer)
        if self._announced.is_answer and self._inbox.fetched.is_asked(header, whose):
            self._inbox.fetched.store(header, self._spool, self._limits.max_study_instances)
            metrics.RECEIVED_BYTES.inc(self._spool.dataset_size)
            return "fetched"
        arrival = self._arrival(header, whose, self._spool)
        if self._inbox.is_full(arrival, self._limits.max_study_instances):
            why = "More instances than receive.max_study_instances"
            raise StoreRefused(OUT_OF_RESOURCES, why, "max_study_instances")
        outcome = self._inbox.store(arrival, self._spool)
        if outcome == "stored":
            metrics.RECEIVED_BYTES.inc(self._spool.dataset_size)
        return outcome

    def _compare(self, header: Header) -> None:
        """Refuse what is not what it was announced as."""
        said = self._announced
        if header.sop_class_uid != said.sop_class_uid:
            why = f"SOPClassUID is not the {said.prefix}SOPClassUID"
            raise StoreRefused(WRONG_CLASS, why)
        if header.sop_instance_uid != said.sop_instance_uid:
            why = f"SOPInstanceUID is not the {said.prefix}SOPInstanceUID"
            raise StoreRefused(WRONG_CLASS, why)
        if said.study_instance_uid not in (None, header.study_instance_uid):
            raise StoreRefused(WRONG_CLASS, "StudyInstanceUID is not the one of the request")

    def _arrival(self, header: Header, whose: str, spool: Spool) -> Arrival:
        """The instance as the inbox takes it."""
        syntax, study_key = self._announced.transfer_syntax_uid, uid_hash(header.study_instance_uid)
        return Arrival(
            header=header,
            patient_key=whose,
            transfer_syntax_uid=syntax,
            size=spool.size,
            sha256=spool.sha256,
            calling_ae_title=self._announced.caller,
            received_at=time.time(),
            stat=self._announced.is_urgent
            or (self._inbox.is_first(study_key) and spool.is_urgent(syntax)),
            accession_key=accession_key(self._inbox.secret, header.accession_number),
        )

    @property
    def limit(self) -> str:
        """The setting whose limit it exceeded, "" if none."""
        return self._refused.limit if self._refused is not None else ""

    def close(self) -> None:
        """Delete the file if it did not become part of the inbox."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

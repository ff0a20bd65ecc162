"""A Part 10 file that comes in fragments: File Meta Information first, then the dataset."""

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import BytesIO

from pydicom.filereader import read_dataset

from msnode import config
from msnode.receive.dicom.dimse_status import (
    CLASS_NOT_SUPPORTED,
    NOT_UNDERSTOOD,
    SYNTAX_NOT_SUPPORTED,
    StoreRefused,
)
from msnode.receive.dicom.sop_classes import TRANSFER_SYNTAXES
from msnode.receive.inbox.identity import Header
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.reception import Announced, Reception

PREFIX = 132  # bytes of preamble and "DICM" (PS3.10 7.1)
GROUP_LENGTH = struct.Struct("<HH2sHI")
LONGEST_META = 1 << 16  # bytes; usual is 200


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a part.

    Attributes:
        sop_class_uid: as its File Meta Information says; "" where that could not be read.
        sop_instance_uid: likewise.
        status: as of a C-STORE, 0 where it was stored.
        outcome: as in ``metrics.INSTANCES``.
        limit: the setting that it exceeded, "" if none.
        header: what its dataset says it is; None where that was not read.
    """

    sop_class_uid: str
    sop_instance_uid: str
    status: int
    comment: str
    outcome: str
    limit: str = ""
    header: Header | None = None


def reception_of(
    said: tuple[str, str, str],
    caller: str,
    accepted: Collection[str],
    receive: config.Receive,
    inbox: Inbox,
    study: str | None = None,
) -> tuple[Announced, Reception]:
    """Receive what File Meta Information announces, unless its class or syntax is not for us.

    Args:
        said: MediaStorageSOPClassUID, MediaStorageSOPInstanceUID and TransferSyntaxUID.
        caller: who sends.
        accepted: SOP classes.
        receive: limits.
        inbox: where it goes.
        study: the only StudyInstanceUID that it may have; None: any.
    """
    announced = Announced(*said, caller, prefix="MediaStorage", study_instance_uid=study)
    refused = None
    if announced.sop_class_uid not in accepted:
        refused = StoreRefused(CLASS_NOT_SUPPORTED, "SOP class is not accepted")
    elif announced.transfer_syntax_uid not in TRANSFER_SYNTAXES:
        refused = StoreRefused(SYNTAX_NOT_SUPPORTED, "Transfer syntax is not accepted")
    return announced, Reception(announced, receive, inbox, refused)


class Part10Part:
    """One part of a request.

    Args:
        receive: gets what the File Meta Information announces, and makes a reception of it.
    """

    def __init__(self, receive: Callable[[str, str, str], tuple[Announced, Reception]]) -> None:
        self._receive = receive
        self._head = bytearray()
        self._needed = PREFIX + GROUP_LENGTH.size
        self._announced: Announced | None = None
        self._reception: Reception | None = None
        self._refused: StoreRefused | None = None

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes."""
        while fragment and self._reception is None and self._refused is None:
            missing = self._needed - len(self._head)
            self._head += fragment[:missing]
            fragment = fragment[missing:]
            if len(self._head) == self._needed:
                self._read_head()
        if fragment and self._reception is not None:
            self._reception.write(fragment)

    def _read_head(self) -> None:
        """Read as much as there is: how long the File Meta Information is, then all of it."""
        try:
            if self._needed == PREFIX + GROUP_LENGTH.size:
                self._needed += _length(self._head)
            else:
                told = _meta(bytes(self._head[PREFIX:]))
                self._announced, self._reception = self._receive(*told)
        except StoreRefused as refused:
            self._refused = refused

    def finish(self) -> Stored:
        """The part is whole: keep the instance."""
        if self._reception is None or self._announced is None:
            why = self._refused or StoreRefused(NOT_UNDERSTOOD, "Ends in its File Meta Information")
            return Stored("", "", why.status, why.comment, "failed")
        status, comment, outcome = self._reception.finish()
        return Stored(
            self._announced.sop_class_uid,
            self._announced.sop_instance_uid,
            status,
            comment,
            outcome,
            self._reception.limit,
            self._reception.header,
        )

    def close(self) -> None:
        """Delete what was received, if it did not become part of the inbox."""
        if self._reception is not None:
            self._reception.close()


def _length(head: bytearray) -> int:
    """Bytes of the File Meta Information behind its group length (PS3.10 7.1)."""
    if head[128:PREFIX] != b"DICM":
        raise StoreRefused(NOT_UNDERSTOOD, "No Part 10 file: the prefix DICM is missing")
    group, number, vr, size, length = GROUP_LENGTH.unpack(head[PREFIX:])
    if (group, number, vr, size) != (2, 0, b"UL", 4) or not 0 < length <= LONGEST_META:
        raise StoreRefused(NOT_UNDERSTOOD, "No usable File Meta Information Group Length")
    return int(length)


def _meta(encoded: bytes) -> tuple[str, str, str]:
    """SOP class, SOP instance and transfer syntax."""
    try:
        meta = read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True)
        names = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
        found = [str(meta[name].value) for name in names]
    except Exception as error:  # pydicom and struct raise many kinds
        why = f"File Meta Information unreadable: {type(error).__name__}"
        raise StoreRefused(NOT_UNDERSTOOD, why) from error
    return found[0], found[1], found[2]

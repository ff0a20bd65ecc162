"""Images that come as an answer of ours by HTTP (WADO-RS): the same way in as by STOW-RS."""

from collections.abc import Callable, Iterator
from functools import partial

from msnode import config, metrics
from msnode.receive.dicom.dimse_status import (
    CLASS_NOT_SUPPORTED,
    SUCCESS,
    SYNTAX_NOT_SUPPORTED,
    StoreRefused,
)
from msnode.receive.dicom.sop_classes import TRANSFER_SYNTAXES, accepted
from msnode.receive.dicomweb.media_types import is_instance
from msnode.receive.dicomweb.multipart_related import BadMultipart, MultipartRelated
from msnode.receive.dicomweb.part10_part import Part10Part, Stored
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.reception import Announced, Reception

LONGEST_TITLE = 16
"""Characters of the name that stands for an AE title."""


def body_receiver(
    receive: config.Receive, inbox: Inbox
) -> Callable[[str, str, bytes, Iterator[bytes]], tuple[int, str]]:
    """What keeps the instances of a multipart body, each as it is whole.

    It takes the sender's name, the StudyInstanceUID that was asked for, the boundary and the body
    as it comes, and returns how many instances are as safe as at the listener, and the reason why
    another is not, "" if all are. No instance is ever held in memory.
    """

    def take(sender: str, study: str, boundary: bytes, body: Iterator[bytes]) -> tuple[int, str]:
        parts = _Parts(partial(_reception, sender, study, receive, inbox))
        try:
            parser = MultipartRelated(boundary, parts)
            for data in body:
                parser.write(data)
            parser.finish()
        except BadMultipart as error:
            return parts.kept, str(error)
        finally:
            parts.close()
        return parts.kept, parts.trouble

    return take


def _reception(
    sender: str,
    study: str,
    receive: config.Receive,
    inbox: Inbox,
    sop_class_uid: str,
    sop_instance_uid: str,
    syntax: str,
) -> tuple[Announced, Reception]:
    """Receive what File Meta Information announces, as an answer to us."""
    announced = Announced(
        sop_class_uid,
        sop_instance_uid,
        syntax,
        sender[:LONGEST_TITLE],
        prefix="MediaStorage",
        is_answer=True,
        study_instance_uid=study,
    )
    refused = None
    if sop_class_uid not in accepted(receive.accept):
        refused = StoreRefused(CLASS_NOT_SUPPORTED, "SOP class is not accepted")
    elif syntax not in TRANSFER_SYNTAXES:
        refused = StoreRefused(SYNTAX_NOT_SUPPORTED, "Transfer syntax is not accepted")
    return announced, Reception(announced, receive, inbox, refused)


class _Parts:
    """The parts of one body.

    Attributes:
        kept: how many are safe.
        trouble: why the first that is not, is not; "" if all are.
    """

    def __init__(self, receive: Callable[..., tuple[Announced, Reception]]) -> None:
        self.kept = 0
        self.trouble = ""
        self._receive = receive
        self._part: Part10Part | None = None

    def begin(self, content_type: str) -> None:
        """A part begins."""
        self._part = Part10Part(self._receive) if is_instance(content_type) else None
        if self._part is None:
            self.trouble = self.trouble or "a part is no application/dicom"

    def write(self, fragment: memoryview) -> None:
        """More of it."""
        if self._part is not None:
            self._part.write(fragment)

    def end(self) -> None:
        """It is whole."""
        if self._part is None:
            return
        stored = self._part.finish()
        self.close()
        metrics.INSTANCES.labels(stored.outcome).inc()
        self._note(stored)

    def _note(self, stored: Stored) -> None:
        if stored.status == SUCCESS:
            self.kept += 1
        else:
            self.trouble = self.trouble or stored.comment

    def close(self) -> None:
        """Delete what was received, if it did not become part of the inbox."""
        part, self._part = self._part, None
        if part is not None:
            part.close()

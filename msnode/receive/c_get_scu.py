"""Images that come on an association of ours (C-GET): the same way in as at the listener."""

import itertools
from collections.abc import Callable

from msnode import config, metrics
from msnode.receive.c_store_scp import CStore
from msnode.receive.dicom.dimse import C_STORE_RQ, Command
from msnode.receive.dicom.negotiation import Context
from msnode.receive.inbox.inbox import Inbox


def receiver(receive: config.Receive, inbox: Inbox) -> Callable[[str, str, str, str, bytes], int]:
    """What keeps one image.

    It takes SOPClassUID, SOPInstanceUID, transfer syntax, the sender's AE title and the encoded
    dataset, and returns the DIMSE status: success when the image is as safe as at the listener.
    What was not asked for becomes a study of its own, as there.
    """
    numbers = itertools.count(1)

    def take(
        sop_class_uid: str, sop_instance_uid: str, syntax: str, sender: str, dataset: bytes
    ) -> int:
        ours = receive.ae_title.strip()
        command = Command(
            C_STORE_RQ, next(numbers), sop_class_uid, sop_instance_uid, True, move_originator=ours
        )
        reception = CStore(command, Context(sop_class_uid, syntax), sender, receive, inbox)
        try:
            reception.write(memoryview(dataset))
            status, _, outcome = reception.finish()
        finally:
            reception.close()
        metrics.INSTANCES.labels(outcome).inc()
        return status

    return take

"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3): a source sends series of a study.

C-MOVE: it opens an association to our listener, which knows what was asked for. C-GET: the images
come on our own association, and are handed to the same inbox.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from msnode.config import DicomPeer
from msnode.errors import Refused, TryLater
from msnode.fetch.way import Order, Take
from msnode.requestor.peer import associate, offering

log = logging.getLogger(__name__)

MOVE = UID(StudyRootQueryRetrieveInformationModelMove)
GET = UID(StudyRootQueryRetrieveInformationModelGet)
PENDING = 0xFF00
UNKNOWN_DESTINATION = 0xA801
LONGEST_S = 1800.0
"""For one request; a source that sends for longer is left."""
FAILED = 0xC000
"""Of a C-STORE that could not be done, whatever it was."""


def move(order: Order, peer: DicomPeer, calling_ae_title: str) -> int:
    """Have a peer send series to our listener.

    Returns:
        How many images it says that it sent.

    Raises:
        TryLater: it cannot be reached, or failed.
        Refused: it does not support C-MOVE, or does not know us.
    """
    with offering(MOVE, peer, calling_ae_title) as association:
        return sum(
            _ended(association.send_c_move(query, calling_ae_title, MOVE), association, peer)
            for query in _queries(order)
        )


def get(order: Order, peer: DicomPeer, calling_ae_title: str) -> int:
    """Fetch series over an association of ours.

    Returns, Raises:
        As `move`.
    """
    # each syntax in a context of its own, so that every image can come as it lies there
    storage = (build_context(one, syntax) for one in order.classes for syntax in order.syntaxes)
    contexts = [build_context(GET), *storage]
    roles = [build_role(one, scp_role=True) for one in order.classes]
    handlers = [(evt.EVT_C_STORE, lambda event: _stored(event, order.taking.image, peer))]
    with associate(peer, calling_ae_title, contexts, handlers, roles=roles) as association:
        granted = {context.abstract_syntax for context in association.accepted_contexts}
        if not association.is_established or GET not in granted:
            raise Refused(f"{peer.name} does not support the {GET.name}; use c-move")
        return sum(
            _ended(association.send_c_get(query, GET), association, peer)
            for query in _queries(order)
        )


def _stored(event: Event, take: Take, peer: DicomPeer) -> int:
    """One image on our own association."""
    try:
        request: Any = event.request
        return take(
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
            str(event.context.transfer_syntax),
            peer.ae_title,
            event.encoded_dataset(include_meta=False),
        )
    except Exception as error:  # noqa: BLE001 - the source shall know that it is not kept
        log.error("an image of source=%s is not kept error=%s", peer.name, type(error).__name__)
        return FAILED


def _queries(order: Order) -> Iterator[Dataset]:
    """A query a series, as few peers take lists."""
    for uid in order.series:
        query = Dataset()
        query.QueryRetrieveLevel = "SERIES"
        query.StudyInstanceUID = order.study_instance_uid
        query.SeriesInstanceUID = uid
        yield query


def _ended(
    answers: Iterator[tuple[Dataset, Dataset | None]], association: Association, peer: DicomPeer
) -> int:
    """Wait for the last answer; returns how many images were sent."""
    until = time.monotonic() + LONGEST_S
    for answer, _ in answers:
        status = answer.get("Status")
        if status == PENDING:
            if time.monotonic() > until:
                association.abort()
                raise TryLater(f"{peer.name} sent images without an end")
            continue
        if status == UNKNOWN_DESTINATION:
            raise Refused(f"{peer.name} does not know our AE title as a destination of C-MOVE")
        if status != 0x0000:
            said = "nothing" if status is None else f"status 0x{status:04X}"
            raise TryLater(f"{peer.name} answered the retrieval with {said}")
        return int(answer.get("NumberOfCompletedSuboperations") or 0)
    raise TryLater(f"{peer.name} did not answer the retrieval")

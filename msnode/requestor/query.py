"""C-FIND (PS3.4 C.4.1): the matches of one query."""

import time
from collections.abc import Iterator

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from msnode.errors import Refused, TryLater

FIND = UID(StudyRootQueryRetrieveInformationModelFind)

PENDING = (0xFF00, 0xFF01)
"""A match, with more to come (PS3.4 C.4.1.1.4)."""

NEVER = (0x0122, 0xA900)
"""SOP Class Not Supported; Identifier Does Not Match SOP Class."""


def matches(
    association: Association, query: Dataset, name: str, *, most: int = 0, until: float = 0.0
) -> Iterator[Dataset]:
    """The matches of a query: Study Root.

    Args:
        association: that is for `FIND`.
        query: the identifier of the request.
        name: of the peer.
        most: with more matches the peer is taken to ignore the keys; 0: any number.
        until: by the monotonic clock, when it must have ended; 0: never.

    Raises:
        TryLater: the peer fails to answer, or answers without an end.
        Refused: it does not support the query.
    """
    count = 0
    for answer, match in association.send_c_find(query, FIND):
        status = answer.get("Status")
        if status in PENDING and match is not None:
            count += 1
            if (most and count > most) or (until and time.monotonic() > until):
                association.abort()
                raise TryLater(f"{name} answered a C-FIND without an end: matches={count}")
            yield match
        elif status in NEVER:
            raise Refused(f"{name} answered a C-FIND with status 0x{status:04X}")
        elif status != 0x0000:
            said = "nothing" if status is None else f"status 0x{status:04X}"
            raise TryLater(f"{name} answered a C-FIND with {said}")

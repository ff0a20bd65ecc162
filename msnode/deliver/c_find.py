"""C-FIND (PS3.4 C): which objects a peer shows, and how many images of a series it has."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from msnode.config import DicomPeer
from msnode.deliver.peer import offering
from msnode.errors import Refused, TryLater

FIND = UID(StudyRootQueryRetrieveInformationModelFind)

PENDING = (0xFF00, 0xFF01)
"""A match, with more to come (PS3.4 C.4.1.1.4)."""

NEVER = (0x0122, 0xA900)
"""SOP Class Not Supported; Identifier Does Not Match SOP Class."""

_COUNT = "NumberOfSeriesRelatedInstances"

Series = tuple[str, str]
"""StudyInstanceUID and SeriesInstanceUID."""


def find(paths: Sequence[Path], destination: DicomPeer, calling_ae_title: str) -> frozenset[str]:
    """Ask a peer for objects: Study Root, IMAGE level, one query a series.

    Args:
        paths: the files of the objects.
        destination: the peer.
        calling_ae_title: ours.

    Returns:
        The SOPInstanceUIDs among them that the peer shows.

    Raises:
        TryLater: the peer cannot be reached, or fails to answer.
        Refused: the peer does not support the query.
    """
    wanted = _by_series(paths)
    with offering(FIND, destination, calling_ae_title) as association:
        found = [
            _matches(association, series, uids, destination.name) for series, uids in wanted.items()
        ]
    return frozenset().union(*found)


def _by_series(paths: Sequence[Path]) -> Mapping[Series, set[str]]:
    """The SOPInstanceUIDs of each series, which a hierarchical query wants one by one."""
    wanted: dict[Series, set[str]] = {}
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    for path in paths:
        header = dcmread(path, stop_before_pixels=True, specific_tags=tags)
        series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
        wanted.setdefault(series, set()).add(str(header.SOPInstanceUID))
    return wanted


def _matches(association: Association, series: Series, uids: set[str], name: str) -> set[str]:
    """Which objects of a series the peer shows; all are asked for, as few peers take lists."""
    return _images(association, series, name) & uids


def _images(association: Association, series: Series, name: str) -> set[str]:
    """SOPInstanceUID of all objects of a series."""
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID, query.SeriesInstanceUID = series
    query.SOPInstanceUID = ""
    return {str(match.get("SOPInstanceUID", "")) for match in _ask(association, query, name)}


def count_images(
    study_instance_uid: str, peer: DicomPeer, calling_ae_title: str
) -> Mapping[str, int]:
    """Ask a peer how many images of a study it has: Study Root, SERIES level.

    Returns:
        By SeriesInstanceUID NumberOfSeriesRelatedInstances (PS3.4 C.6.1.1.4), or where the peer
        does not know that attribute, as it is optional, the matches of a query for the images.

    Raises:
        TryLater, Refused: as `find`.
    """
    query = Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.StudyInstanceUID = study_instance_uid
    query.SeriesInstanceUID = ""
    query.NumberOfSeriesRelatedInstances = None
    with offering(FIND, peer, calling_ae_title) as association:
        found = {
            str(m.SeriesInstanceUID): m.get(_COUNT) for m in _ask(association, query, peer.name)
        }
        unsaid = [uid for uid, count in found.items() if count is None]
        counted = {
            uid: len(_images(association, (study_instance_uid, uid), peer.name)) for uid in unsaid
        }
    return {uid: int(count) for uid, count in found.items() if count is not None} | counted


def _ask(association: Association, query: Dataset, name: str) -> Iterator[Dataset]:
    """The matches of a query."""
    for answer, match in association.send_c_find(query, FIND):
        status = answer.get("Status")
        if status in PENDING and match is not None:
            yield match
        elif status in NEVER:
            raise Refused(f"{name} answered a C-FIND with status 0x{status:04X}")
        elif status != 0x0000:
            said = "nothing" if status is None else f"status 0x{status:04X}"
            raise TryLater(f"{name} answered a C-FIND with {said}")

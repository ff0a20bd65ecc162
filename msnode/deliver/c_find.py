"""C-FIND (PS3.4 C): which objects a peer shows, and how many images of a series it has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pynetdicom.association import Association

from msnode.config import DicomPeer
from msnode.requestor.peer import offering
from msnode.requestor.query import FIND, matches

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
    wanted = by_series(paths)
    with offering(FIND, destination, calling_ae_title) as association:
        found = [
            _matches(association, series, uids, destination.name) for series, uids in wanted.items()
        ]
    return frozenset().union(*found)


def by_series(paths: Sequence[Path]) -> Mapping[Series, set[str]]:
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
    return {str(match.get("SOPInstanceUID", "")) for match in matches(association, query, name)}


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
            str(m.SeriesInstanceUID): m.get(_COUNT) for m in matches(association, query, peer.name)
        }
        unsaid = [uid for uid, count in found.items() if count is None]
        counted = {
            uid: len(_images(association, (study_instance_uid, uid), peer.name)) for uid in unsaid
        }
    return {uid: int(count) for uid, count in found.items() if count is not None} | counted

"""The way to a source, by its settings."""

from collections.abc import Sequence

from msnode.config import Destination, PriorSource, WebSource, peer_of
from msnode.fetch.dicom_way import DicomWay
from msnode.fetch.way import Way
from msnode.fetch.web_way import WebWay


def way_to(source: PriorSource, destinations: Sequence[Destination], calling_ae_title: str) -> Way:
    """How a source is asked."""
    if isinstance(source, WebSource):
        return WebWay(source)
    peer = peer_of(source, destinations)
    assert peer is not None  # noqa: S101 - the configuration was checked
    return DicomWay(source.name, peer, source.by, calling_ae_title)

"""A DICOM peer as source: C-FIND, then C-MOVE or C-GET."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from msnode.config import DicomPeer
from msnode.fetch.ask import Source, asking
from msnode.fetch.retrieve import get, move
from msnode.fetch.way import Order


@dataclass(frozen=True)
class DicomWay:
    """To a peer.

    Attributes:
        name: of the source.
        peer: as it is called.
        by: how the images come.
        title: our AE title.
    """

    name: str
    peer: DicomPeer
    by: Literal["c-move", "c-get"]
    title: str
    hint = "is it among receive.callers, and does it name us as the Move Originator?"

    @property
    def node(self) -> tuple[str, str]:
        """By AE title and host."""
        return self.peer.node

    @property
    def is_ours(self) -> bool:
        """By C-GET the images come on our own association."""
        return self.by == "c-get"

    def asking(self) -> AbstractContextManager[Source]:
        """The peer on an association."""
        return asking(self.peer, self.title)

    def retrieve(self, order: Order) -> int:
        """By C-MOVE or C-GET."""
        way = move if self.by == "c-move" else get
        return way(order, self.peer, self.title)

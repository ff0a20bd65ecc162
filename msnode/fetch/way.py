"""How a source is asked and how its images come, the same for every kind of source."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pydicom import Dataset
from pydicom.uid import (
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from msnode.fetch.ask import FoundSeries, FoundStudy
from msnode.fetch.patient import Patient

IMAGES = (
    MRImageStorage,
    EnhancedMRImageStorage,
    EnhancedMRColorImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
)
"""What earlier studies are fetched for."""

Take = Callable[[str, str, str, str, bytes], int]
"""Keeps an image: by SOPClassUID, SOPInstanceUID, transfer syntax, AE title of the sender and its
encoded dataset; returns the DIMSE status, success only when it is safe."""

TakeBody = Callable[[str, str, bytes, Iterator[bytes]], tuple[int, str]]
"""Keeps the images of a multipart body: by the sender's name, StudyInstanceUID, boundary and what
comes; returns how many are safe, and why another is not ("": all are)."""


class Taking(NamedTuple):
    """What keeps images that do not come at the listener.

    Attributes:
        image: of an association of ours.
        body: of an answer by HTTP.
    """

    image: Take
    body: TakeBody


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be fetched.

    Attributes:
        series: SeriesInstanceUIDs, of the study.
        syntaxes: transfer syntaxes that can be read.
        taking: keeps what comes on a connection of ours.
        classes: SOP classes that may come on it.
    """

    study_instance_uid: str
    series: Sequence[str]
    syntaxes: Sequence[str]
    taking: Taking
    classes: Sequence[str] = IMAGES


class Asked(Protocol):
    """A source that is being asked.

    Attributes:
        asked: the first query, as the audit trail has it.
    """

    asked: Dataset

    def studies(self, patient: Patient, years: int) -> list[FoundStudy]:
        """The studies of a patient before the present one.

        Raises:
            TryLater: it does not answer.
            Refused: it will never answer this.
        """

    def series(self, study_instance_uid: str) -> list[FoundSeries]:
        """The series of a study; raises likewise."""


class Way(Protocol):
    """To a source."""

    @property
    def name(self) -> str:
        """Of the source."""

    @property
    def node(self) -> tuple[str, str]:
        """As the audit trail knows it: what it is called, and its network address."""

    @property
    def is_ours(self) -> bool:
        """Whether the images come on a connection of ours, not at the listener."""

    @property
    def hint(self) -> str:
        """What may be wrong where it says that it sent, and nothing came."""

    def asking(self) -> AbstractContextManager[Asked]:
        """The source for the time of a ``with`` block; raises as `Asked`."""

    def retrieve(self, order: Order) -> int:
        """Have series sent; returns how many images the source says that it sent.

        Raises:
            TryLater: it cannot be reached, or failed.
            Refused: it will never do so.
        """

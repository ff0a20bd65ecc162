"""A DICOMweb server as source: QIDO-RS, then WADO-RS (PS3.18 10.6, 10.4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse

from pydicom import Dataset

from msnode.config import WebSource
from msnode.errors import Refused, TryLater
from msnode.fetch.ask import (
    MOST,
    FoundSeries,
    FoundStudy,
    series_of,
    series_query,
    study_of,
    study_query,
)
from msnode.fetch.patient import Patient
from msnode.fetch.way import Order
from msnode.requestor.http_answer import Answer, refused
from msnode.requestor.http_request import Request, answering
from msnode.requestor.qido import search

PART10 = 'multipart/related; type="application/dicom"'
LONGEST_S = 1800.0
"""For one series; a server that sends for longer is left."""
NO_KEYS = ("QueryRetrieveLevel", "SpecificCharacterSet")
"""Of a C-FIND, that a URL says by its path, or in UTF-8."""
CHUNK = 256 * 1024
"""Bytes that are in memory at a time."""


class WebSourceAsked:
    """A server that is being asked; each query is a request of its own.

    Attributes:
        asked: the first query, as the audit trail has it.
    """

    def __init__(self, source: WebSource) -> None:
        self._source = source
        self.asked = Dataset()

    def studies(self, patient: Patient, years: int) -> list[FoundStudy]:
        """The studies of a patient before the present one.

        Raises:
            TryLater, Refused, ConfigError: as `qido.search`.
        """
        self.asked = study_query(patient, years)
        return [
            found for match in self._matches("studies", self.asked) if (found := study_of(match))
        ]

    def series(self, study_instance_uid: str) -> list[FoundSeries]:
        """The series of a study; raises likewise."""
        path = f"studies/{study_instance_uid}/series"
        query = series_query(study_instance_uid)
        del query.StudyInstanceUID
        return [found for match in self._matches(path, query) if (found := series_of(match))]

    def _matches(self, path: str, query: Dataset) -> list[Dataset]:
        """Keys with a value are matched, the others returned (PS3.18 8.3.4)."""
        elements = [
            one
            for one in query
            if one.keyword not in ("QueryRetrieveLevel", "SpecificCharacterSet")
        ]
        matched = [(one.keyword, str(one.value)) for one in elements if one.value]
        returned = [("includefield", one.keyword) for one in elements if not one.value]
        return search(self._source, self._source.name, path, [*matched, *returned])[:MOST]


@dataclass(frozen=True)
class WebWay:
    """To a server.

    Attributes:
        source: its settings.
    """

    source: WebSource
    is_ours = True
    hint = "what it sent was not of the study that was asked for"

    @property
    def name(self) -> str:
        """Of the source."""
        return self.source.name

    @property
    def node(self) -> tuple[str, str]:
        """By its name and host."""
        return self.source.name, self.source.host

    @contextmanager
    def asking(self) -> Iterator[WebSourceAsked]:
        """No connection is kept between two queries."""
        yield WebSourceAsked(self.source)

    def retrieve(self, order: Order) -> int:
        """By WADO-RS, a series a request, written to disk as it comes."""
        return sum(self._series(order, uid) for uid in order.series)

    def _series(self, order: Order, uid: str) -> int:
        """One series, in whatever transfer syntax it lies there.

        Raises:
            TryLater, Refused: it did not come as a whole.
        """
        base = self.source.dicomweb.rstrip("/")
        url = f"{base}/studies/{order.study_instance_uid}/series/{uid}"
        request = Request("GET", url, {"Accept": f"{PART10}; transfer-syntax=*"})
        with answering(self.source, request, longest_s=LONGEST_S) as response:
            if response.status != HTTPStatus.OK:
                raise refused(self.name, Answer(response.status, "", b""))
            boundary = boundary_of(response.headers)
            if boundary is None:
                raise Refused(f"{self.name} answers a retrieval with no multipart/related")
            whose = self.name, order.study_instance_uid
            count, why = order.taking.body(*whose, boundary, _chunks(response, self.name))
        if why:
            raise TryLater(f"an image of {self.name} is not kept: {why}")
        return count


def boundary_of(headers: Message) -> bytes | None:
    """The boundary of a multipart/related body (RFC 2387); None where it is none."""
    boundary = headers.get_param("boundary")
    if headers.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        return None
    return boundary.encode("latin-1", "replace") or None


def _chunks(response: HTTPResponse, name: str) -> Iterator[bytes]:
    """The body as it comes.

    Raises:
        TryLater: it does not come to its end.
    """
    while True:
        try:
            chunk = response.read1(CHUNK)
        except (OSError, HTTPException) as error:
            raise TryLater(f"{name} broke off: {type(error).__name__}") from error
        if not chunk:
            return
        yield chunk


def try_out(source: WebSource) -> None:
    """Search for nothing that is there: the server is reached, and lets us in.

    Raises:
        TryLater, Refused: it is not, or does not.
        ConfigError: its TLS files or key cannot be used.
    """
    search(source, source.name, "studies", [("StudyInstanceUID", "2.25.0"), ("limit", "1")])

"""multipart/related (RFC 2387), read as it comes: no part is ever held in memory."""

import logging
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

LONGEST_BOUNDARY = 200  # characters; RFC 2046 5.1.1 allows 70, Orthanc takes 73
LONGEST_HEADER = 4096  # bytes of one header of a part
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # quotes what came


class BadMultipart(Exception):
    """The body is no multipart message, or none that ends."""


class PartSink(Protocol):
    """Takes the parts of a message, one after the other."""

    def begin(self, content_type: str) -> None:
        """A part begins."""

    def write(self, fragment: memoryview) -> None:
        """More of it."""

    def end(self) -> None:
        """It is whole."""


class MultipartRelated:
    """A push parser: fragments go in as they come, and parts to a sink.

    Args:
        boundary: of the Content-Type.
        sink: takes the parts; what it raises goes through.
    """

    def __init__(self, boundary: bytes, sink: PartSink) -> None:
        self._sink = sink
        self._name, self._value = b"", b""
        self._content_type = ""
        self._is_over = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._add_value,
                "on_header_end": self._header,
                "on_headers_finished": self._headers_over,
                "on_part_data": self._data,
                "on_part_end": sink.end,
                "on_end": self._over,
            },
            max_header_size=LONGEST_HEADER,
        )

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body; what follows its last boundary is ignored.

        Raises:
            BadMultipart: they are none.
        """
        if self._is_over:
            return
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadMultipart("the body is no multipart message with this boundary") from error

    def finish(self) -> None:
        """The body is over.

        Raises:
            BadMultipart: its last boundary is missing.
        """
        if not self._is_over:
            raise BadMultipart("the body ends without its last boundary")

    def _begin(self) -> None:
        self._content_type = ""
        self._name = self._value = b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        if self._name.strip().lower() == b"content-type":
            self._content_type = self._value.decode("latin-1").strip()
        self._name = self._value = b""

    def _headers_over(self) -> None:
        self._sink.begin(self._content_type)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._sink.write(memoryview(data)[start:end])

    def _over(self) -> None:
        self._is_over = True

"""STOW-RS requests as tests make them: bodies, connections, answers."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from msnode import config
from tests.integration.listening import Receiver

BOUNDARY = "the-boundary"
RELATED = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
OPEN = config.Receive(
    address="127.0.0.1", port=0, min_free_bytes=0, dicomweb=config.Dicomweb(port=0)
)
Start = Callable[..., Receiver]
"""Starts a receiver with other settings than OPEN's."""
FAILED, REFERENCED, OTHER = "00081198", "00081199", "0008119A"


@dataclass(frozen=True)
class Answer:
    """An answer, its body parsed where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any

    def reasons(self) -> dict[str, int]:
        """FailureReason by SOPInstanceUID; of other failures under ""."""
        found = {item["00081155"]["Value"][0]: _reason(item) for item in self._items(FAILED)}
        others = self._items(OTHER)
        return found | ({"": _reason(others[0])} if others else {})

    def stored(self) -> list[str]:
        """SOPInstanceUIDs."""
        return [item["00081155"]["Value"][0] for item in self._items(REFERENCED)]

    def _items(self, tag: str) -> list[Any]:
        return list(self.body.get(tag, {}).get("Value", []))


def _reason(item: Any) -> int:
    return int(item["00081197"]["Value"][0])


def part10(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The dataset as a Part 10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def multipart(parts: Iterable[bytes], content_type: str = "application/dicom") -> bytes:
    """A multipart/related body."""
    head = f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    whole = b"".join(head + part + b"\r\n" for part in parts)
    return whole + f"--{BOUNDARY}--".encode()


def post(
    port: int,
    body: bytes | Iterator[bytes],
    path: str = "/studies",
    connection: HTTPConnection | None = None,
    **headers: str,
) -> Answer:
    """POST a body; header names by keyword with _ for -. An iterator is sent chunked."""
    given = {"Content-Type": RELATED, "Accept": "application/dicom+json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    if connection is not None:
        return _exchange(connection, path, body, given)
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        return _exchange(connection, path, body, given)


def _exchange(
    connection: HTTPConnection, path: str, body: bytes | Iterator[bytes], headers: dict[str, str]
) -> Answer:
    connection.request("POST", path, body, headers, encode_chunked=not isinstance(body, bytes))
    response = connection.getresponse()
    text = response.read()
    kind = response.getheader("Content-Type", "")
    return Answer(
        response.status, dict(response.getheaders()), json.loads(text) if "json" in kind else text
    )


def store(port: int, datasets: Sequence[Dataset], **headers: Any) -> Answer:
    """Store datasets in one request."""
    return post(port, multipart(part10(dataset) for dataset in datasets), **headers)


def port_of(receiver: Receiver) -> int:
    """Of its STOW-RS listener."""
    assert receiver.web is not None
    return receiver.web.port

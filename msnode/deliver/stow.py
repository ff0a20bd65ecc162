"""STOW-RS (PS3.18 10.5): result objects to a DICOMweb server, and which of them it shows."""

import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path

from msnode.config import StowServer
from msnode.deliver.c_find import by_series
from msnode.deliver.c_store import LOSSLESS, NOT_SUPPORTED, UNREADABLE, Item, decoded, read_item
from msnode.deliver.stow_answer import judged
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from msnode.requestor.http_request import Request, ask
from msnode.requestor.qido import JSON, ask_for, matches_of, search

NO_SEARCH = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.NOT_IMPLEMENTED,
)
"""By which a server may say that it stores, and searches for nothing."""

CHUNK = 256 * 1024
"""Bytes of a file that are in memory at a time."""


def store(paths: Sequence[Path], destination: StowServer) -> tuple[Receipt, ...]:
    """Store files, an instance a request, so that each has an answer of its own.

    An image whose compressed form the server does not take is sent uncompressed.

    Args:
        paths: DICOM files.
        destination: the server.

    Returns:
        One receipt per path, in their order; whatever goes wrong with a file or the server is in
        its receipt.

    Raises:
        ConfigError: its TLS files or key cannot be used.
    """
    return tuple(_stored(path, destination) for path in paths)


def _stored(path: Path, destination: StowServer) -> Receipt:
    try:
        item = read_item(path)
    except Refused as refusal:
        return Receipt(destination.name, "", None, False, 0, f"the file {refusal}")
    try:
        receipt = _sent(item, partial(_chunks, path), path.stat().st_size, destination)
        if receipt.status == NOT_SUPPORTED and item.transfer_syntax_uid in LOSSLESS:
            content = _uncompressed(item)
            return _sent(item, lambda: (content,), len(content), destination)
    except TryLater as trouble:
        return _missed(item, destination, str(trouble), retry=True)
    except UNREADABLE as error:
        return _missed(item, destination, f"the file cannot be sent: {type(error).__name__}")
    return receipt


def _missed(item: Item, destination: StowServer, why: str, *, retry: bool = False) -> Receipt:
    """A receipt for what did not get an answer."""
    return Receipt(destination.name, item.sop_instance_uid, None, False, 1, why, retry=retry)


def _sent(
    item: Item, content: Callable[[], Iterable[bytes]], size: int, destination: StowServer
) -> Receipt:
    """One instance in a request of its own, and what the answer says.

    Raises:
        TryLater: there is none.
    """
    boundary = f"msnode-{secrets.token_hex(16)}"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield head
        yield from content()
        yield tail

    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    headers = {"Content-Type": kind, "Accept": JSON}
    url = f"{destination.stow.rstrip('/')}/studies"
    request = Request("POST", url, headers, body, len(head) + size + len(tail))
    return judged(ask(destination, request), item, destination)


def _chunks(path: Path) -> Iterator[bytes]:
    """A file from its first byte to its last."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _uncompressed(item: Item) -> bytes:
    """The file with the same pixels, uncompressed."""
    buffer = io.BytesIO()
    decoded(item).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def shown(paths: Sequence[Path], destination: StowServer) -> frozenset[str]:
    """Search a server for objects, a search a series.

    Args:
        paths: the files of the objects.
        destination: the server.

    Returns:
        The SOPInstanceUIDs among them that it shows.

    Raises:
        TryLater, Refused, ConfigError: as `qido.search`.
    """
    found: set[str] = set()
    for (study, series), uids in by_series(paths).items():
        path = f"studies/{study}/series/{series}/instances"
        matches = search(destination, destination.name, path)
        found |= {str(match.get("SOPInstanceUID", "")) for match in matches} & uids
    return frozenset(found)


def try_out(destination: StowServer) -> None:
    """Search for nothing that is there: the server is reached, and lets us in.

    Raises:
        TryLater, Refused: it is not, does not, or does not search where it is to prove results.
        ConfigError: its TLS files or key cannot be used.
    """
    answer = ask_for(destination, "studies", [("StudyInstanceUID", "2.25.0"), ("limit", "1")])
    if destination.verify == "qido" or answer.status not in NO_SEARCH:
        matches_of(answer, destination.name, "studies")

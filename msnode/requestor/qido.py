"""QIDO-RS (PS3.18 10.6): searches at a DICOMweb server."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from pydicom import Dataset

from msnode.config import HttpServer
from msnode.errors import Refused, TryLater
from msnode.requestor.http_answer import Answer, refused
from msnode.requestor.http_request import Request, ask

JSON = "application/dicom+json"
MOST = 5000
"""Matches of one search; no study has so many series, no series of ours so many objects."""


def search(
    server: HttpServer, name: str, path: str, query: Sequence[tuple[str, str]] = ()
) -> list[Dataset]:
    """The matches that a server names, at most `MOST`.

    Args:
        server: a DICOMweb server; its address is the base URL.
        name: ours for it.
        path: the resource below the base URL: ``studies``.
        query: names and values of the query.

    Returns:
        One dataset a match; a study that the server does not know has none.

    Raises:
        TryLater: no answer, or none that makes sense.
        Refused: the server will never answer this, or is none.
        ConfigError: its TLS files or key cannot be used.
    """
    return matches_of(ask_for(server, path, query), name, path)


def ask_for(server: HttpServer, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
    """What a server answers to a search, whatever it is; raises as `http_request.ask`."""
    url = f"{server.address.rstrip('/')}/{path}" + (f"?{urlencode(query)}" if query else "")
    return ask(server, Request("GET", url, {"Accept": JSON}))


def matches_of(answer: Answer, name: str, path: str) -> list[Dataset]:
    """The matches in an answer; raises as `search`."""
    is_unknown = answer.status == HTTPStatus.NOT_FOUND
    if answer.status == HTTPStatus.NO_CONTENT or (is_unknown and "/" in path):
        return []
    if is_unknown:
        raise Refused(f"{name} answers a search with {answer.detail}; is the base URL right?")
    if not answer.is_success:
        raise refused(name, answer)
    try:
        return [Dataset.from_json(match) for match in _matches(answer)]
    except Exception as error:  # pydicom raises whatever a value provokes
        raise TryLater(
            f"{name} answers a search with no DICOM JSON; is the base URL right? "
            f"({type(error).__name__})"
        ) from error


def _matches(answer: Answer) -> list[dict[str, object]]:
    """The array of PS3.18 F.2; an empty body of that type has none.

    Raises:
        ValueError: it is no array of objects.
    """
    is_empty = not answer.body.strip() and answer.media_type.endswith("json")
    found = [] if is_empty else json.loads(answer.body)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("no array of objects")
    return found[:MOST]

"""What of FHIR R4's REST API is answered beside STOW-RS: ``/fhir`` and ``/fhir/metadata``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import h11
from python_multipart.multipart import parse_options_header

from msnode.errors import Refused, TryLater
from msnode.receive.dicomweb.http_connection import Headers
from msnode.receive.dicomweb.http_refusal import HttpRefused
from msnode.receive.dicomweb.media_types import check_accept

BASE, METADATA = "/fhir", "/fhir/metadata"
MEDIA_TYPE = "application/fhir+json"
READ = ("application/fhir+json", "application/json")
LATER = (("Retry-After", "60"),)
ISSUES = {400: "structure", 401: "login", 403: "forbidden", 404: "not-found", 413: "too-long",
          415: "not-supported", 503: "transient"}  # fmt: skip
"""Code of http://hl7.org/fhir/issue-type by status."""

Answer = tuple[int, Headers, bytes]


class Intake(Protocol):
    """Who takes what is posted.

    Attributes:
        max_bytes: of a Bundle.
    """

    max_bytes: int

    def take(self, body: bytes, caller: str) -> tuple[int, dict[str, Any]]:
        """Status and content of the answer; raises Refused and TryLater."""

    def metadata(self) -> dict[str, Any]:
        """The CapabilityStatement."""


def is_fhir(target: bytes) -> bool:
    """Whether a request is none of STOW-RS."""
    return _path(target) == BASE or _path(target).startswith(f"{BASE}/")


def check(request: h11.Request, given: Mapping[bytes, str], intake: Intake) -> None:
    """See that a request is one of those that are answered.

    Raises:
        HttpRefused: 404, 405, 406, 413 or 415, it is none.
    """
    path = _path(request.target)
    if path not in (BASE, METADATA):
        raise HttpRefused(404, "POST a Bundle to /fhir, or GET /fhir/metadata")
    methods = (b"POST",) if path == BASE else (b"GET", b"HEAD")
    if request.method not in methods:
        allowed = ", ".join(method.decode() for method in methods)
        raise HttpRefused(405, f"only {allowed} is answered here", headers=(("Allow", allowed),))
    check_accept(given.get(b"accept", ""), MEDIA_TYPE)
    if path == METADATA:
        return
    kind, parameters = parse_options_header(given.get(b"content-type", ""))
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1").lower()
    encoded = given.get(b"content-encoding", "").strip().lower() not in ("", "identity")
    if kind.decode("latin-1").lower() not in READ or charset != "utf-8" or encoded:
        raise HttpRefused(415, f"send {MEDIA_TYPE} in UTF-8, as it is")
    length = given.get(b"content-length", "0")
    if length.isdigit() and int(length) > intake.max_bytes:
        raise _too_long()


def answer(request: h11.Request, body: Iterator[bytes], caller: str, intake: Intake) -> Answer:
    """Do what a checked request asks for.

    Raises:
        HttpRefused: 400, 413 or 503, it cannot be done.
        Closed, Malformed: the connection ended before the request did.
    """
    if _path(request.target) == METADATA:
        return _content(200, intake.metadata())
    try:
        return _content(*intake.take(_whole(body, intake.max_bytes), caller))
    except Refused as refusal:
        if isinstance(refusal, HttpRefused):
            raise
        raise HttpRefused(400, str(refusal)) from refusal
    except TryLater as trouble:
        why = "the database cannot be used now: send the same again later"
        raise HttpRefused(503, why, headers=LATER) from trouble


def problem(refused: HttpRefused) -> Answer:
    """The answer to a request that is refused as a whole: an OperationOutcome."""
    code = ISSUES.get(refused.status, "processing")
    issue = {"severity": "error", "code": code, "diagnostics": str(refused.reason)}
    status, headers, body = _content(
        refused.status, {"resourceType": "OperationOutcome", "issue": [issue]}
    )
    return status, (*headers, *refused.headers), body


def _content(status: int, resource: dict[str, Any]) -> Answer:
    return status, (("Content-Type", MEDIA_TYPE),), json.dumps(resource).encode()


def _whole(body: Iterator[bytes], most: int) -> bytes:
    found = bytearray()
    for data in body:
        found += data
        if len(found) > most:
            raise _too_long()
    return bytes(found)


def _too_long() -> HttpRefused:
    return HttpRefused(413, "more than dicomweb.fhir.max_bytes: split the Bundle", "max_bytes")


def _path(target: bytes) -> str:
    return target.partition(b"?")[0].decode("latin-1").rstrip("/")

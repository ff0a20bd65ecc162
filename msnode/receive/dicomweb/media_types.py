"""What a request carries and which answer it takes: Content-Type, Content-Encoding, Accept."""

import re

from python_multipart.multipart import parse_options_header

from msnode.receive.dicomweb.http_refusal import HttpRefused
from msnode.receive.dicomweb.multipart_related import LONGEST_BOUNDARY

INSTANCE = "application/dicom"
ANSWER = "application/dicom+json"
_ACCEPTED = {"application/json", "application/*", "*/*", ""}
_APART = {"application/dicom+json", "application/dicom+xml"}


def boundary_of(content_type: str, content_encoding: str) -> bytes | None:
    """The boundary between the instances of a request; None where it is a single instance.

    Raises:
        HttpRefused: 415, it is neither multipart/related with application/dicom nor
            application/dicom; 400, the boundary is none.
    """
    if content_encoding.strip().lower() not in ("", "identity"):
        raise HttpRefused(415, "Content-Encoding is not taken: send the instances as they are")
    kind, parameters = parse_options_header(content_type)
    if kind.lower() == INSTANCE.encode():
        return None
    inner = parameters.get(b"type", INSTANCE.encode()).decode("latin-1").strip().lower()
    if kind.lower() != b"multipart/related" or inner != INSTANCE:
        why = 'send multipart/related; type="application/dicom", an instance a part'
        if inner in _APART:
            why = f"metadata and bulk data apart are not taken: {why}"
        raise HttpRefused(415, why)
    boundary = parameters.get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY or re.search(rb"[^ -~]", boundary):
        raise HttpRefused(400, "Content-Type: the boundary is missing, or none (RFC 2046 5.1.1)")
    return boundary


def is_instance(content_type: str) -> bool:
    """Whether a part is an instance; one that does not say what it is, is."""
    kind = parse_options_header(content_type)[0].lower() if content_type else b""
    return kind in (b"", INSTANCE.encode())


def check_accept(accept: str, answer: str = ANSWER) -> None:
    """See that our answer is taken (RFC 9110 12.5.1).

    Raises:
        HttpRefused: 406, it is not.
    """
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        is_barred = any(re.fullmatch(r"q=0(\.0*)?", one) for one in parameters)
        if kind in {answer, *_ACCEPTED} and not is_barred:
            return
    raise HttpRefused(406, f"the answer is {answer}; accept that")

"""The A-ASSOCIATE-RQ (PS3.8 9.3.2), and why one is rejected (PS3.8 9.3.4)."""

import struct
from dataclasses import dataclass

from msnode.receive.dicom.proposal import Proposal, read_proposal
from msnode.receive.dicom.upper_layer import (
    ABORT,
    ASSOCIATE_RQ,
    INVALID_PARAMETER,
    UNEXPECTED_PDU,
    AssociationEnd,
    Connection,
    ProtocolError,
    Rejection,
)

NO_CONTEXT_NAME = Rejection(1, 1, 2, "application-context-name-not-supported")
CALLING_UNKNOWN = Rejection(1, 1, 3, "calling-ae-title-not-recognized")
CALLED_UNKNOWN = Rejection(1, 1, 7, "called-ae-title-not-recognized")
NO_PROTOCOL = Rejection(1, 2, 2, "protocol-version-not-supported")
LIMIT_EXCEEDED = Rejection(2, 3, 2, "local-limit-exceeded")

FIXED = struct.Struct(">Hxx16s16s32x")
"""Protocol version, called and calling AE title: what comes before the variable items."""


class Rejected(Exception):
    """An association is refused.

    Attributes:
        why: what the peer is told.
        rule: our rule that refuses it, as in ``metrics.REFUSALS``.
    """

    def __init__(self, why: Rejection, rule: str) -> None:
        super().__init__(f"{rule} ({why.name})")
        self.why = why
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Request:
    """A request of which only the fixed fields were read: enough to turn strangers away."""

    protocol_version: int
    called: str
    calling: str
    body: bytes

    def decode(self) -> Proposal:
        """Decode the whole request.

        Raises:
            ProtocolError: it cannot be decoded.
        """
        try:
            return read_proposal(self.body)
        except ValueError as error:
            raise ProtocolError(INVALID_PARAMETER, f"request: {error}") from error


def read_request(connection: Connection) -> Request:
    """Wait for the A-ASSOCIATE-RQ.

    Raises:
        AssociationEnd, ProtocolError: as ``read_pdu``; or the peer sent something else.
    """
    kind, body = connection.read_pdu()
    if kind == ABORT:
        raise AssociationEnd("aborted")
    if kind != ASSOCIATE_RQ:
        raise ProtocolError(UNEXPECTED_PDU, f"PDU type {kind} before an association")
    if len(body) < FIXED.size:
        raise ProtocolError(INVALID_PARAMETER, "request is cut off")
    version, called, calling = FIXED.unpack_from(body)
    return Request(version, _title(called), _title(calling), body)


def _title(value: bytes) -> str:
    """An AE title; invalid characters (PS3.5 6.2) stay visible, and match no known title."""
    return value.strip(b" \0").decode("ascii", "backslashreplace")

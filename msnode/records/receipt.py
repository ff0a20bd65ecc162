"""What became of the results at their destinations."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a peer reports on a request for storage commitment (PS3.4 J.3.3).

    Attributes:
        transaction_uid: of the request.
        committed: SOPInstanceUIDs that the peer keeps.
        failed: SOPInstanceUID to FailureReason (PS3.3 C.14.1.1), e.g. 0x0112 for one that the
            peer does not have.
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one result object at one destination.

    Attributes:
        status: DIMSE status of the last attempt (PS3.7 C), None where no association came about.
        delivered: the destination has it; where ``DicomPeer.verify`` asks for proof, proven.
        attempts: how often it was sent.
        detail: what the last attempt said, for the administrator; names no patient.
        retry: not delivered, but the same object may get through later.
        sent: the peer said that it stored the object, the proof is outstanding.
        superseded: never sent, as a revised result was there before.
    """

    destination: str
    sop_instance_uid: str
    status: int | None
    delivered: bool
    attempts: int
    detail: str = ""
    retry: bool = False
    sent: bool = False
    superseded: bool = False

"""Results to their destinations: one attempt at a time, with a receipt for every object."""

from pathlib import Path

from msnode.deliver.backoff import pause, pauses
from msnode.deliver.c_find import find
from msnode.deliver.c_store import read_item, send
from msnode.deliver.commitment import request_commitment
from msnode.deliver.deliveries import Attempt, Deliveries, deliver
from msnode.deliver.peer import echo, parse_peer
from msnode.deliver.receipts import Receipts
from msnode.deliver.verification import Delivery, negotiate, proof_by
from msnode.deliver.webhook import reach
from msnode.deliver.webhook import read as read_signal

__all__ = [
    "Attempt",
    "Deliveries",
    "Delivery",
    "Receipts",
    "deliver",
    "echo",
    "find",
    "identify",
    "negotiate",
    "parse_peer",
    "pause",
    "pauses",
    "proof_by",
    "reach",
    "request_commitment",
    "send",
]


def identify(path: Path) -> str:
    """The UID under which the receipts know a result file or a signal.

    Raises:
        Refused: it is neither.
    """
    return read_signal(path)[0] if path.suffix == ".json" else read_item(path).sop_instance_uid

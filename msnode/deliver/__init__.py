"""Results to their destinations: one attempt at a time, with a receipt for every object."""

from collections.abc import Sequence
from pathlib import Path

from msnode import metrics
from msnode.config import Destination
from msnode.deliver.backoff import pause, pauses
from msnode.deliver.commitment import Commitment, read_report, request_commitment
from msnode.deliver.folder import copy
from msnode.deliver.peer import echo, parse_peer
from msnode.deliver.receipts import Receipts
from msnode.deliver.store import send
from msnode.records import Receipt

__all__ = [
    "Commitment",
    "Receipts",
    "deliver",
    "echo",
    "parse_peer",
    "pause",
    "pauses",
    "read_report",
    "request_commitment",
    "send",
]


def deliver(
    paths: Sequence[Path], destination: Destination, calling_ae_title: str
) -> tuple[Receipt, ...]:
    """Try once to bring result objects to a destination, over one association or by copying.

    Args:
        paths: the result files.
        destination: a peer or a folder.
        calling_ae_title: ours.

    Returns:
        One receipt per path, in their order; trouble with the peer is in them: ``delivered``, or
        else ``retry`` tells whether another attempt makes sense.

    Raises:
        ConfigError: the destination's TLS files cannot be used.
    """
    if destination.folder is not None:
        receipts = copy(paths, destination)
    else:
        receipts = send(paths, destination, calling_ae_title)
    for receipt in receipts:
        metrics.DELIVERIES.labels(destination.name, _outcome(receipt)).inc()
    return receipts


def _outcome(receipt: Receipt) -> str:
    """A receipt as the metric counts it; what is refused for good is dead at once."""
    if receipt.delivered:
        return "delivered"
    return "retried" if receipt.retry else "dead"

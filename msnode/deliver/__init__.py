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
from msnode.deliver.store import read_item, send
from msnode.deliver.webhook import post, reach
from msnode.deliver.webhook import read as read_signal
from msnode.records import Receipt

__all__ = [
    "Commitment",
    "Receipts",
    "deliver",
    "echo",
    "identify",
    "parse_peer",
    "pause",
    "pauses",
    "reach",
    "read_report",
    "request_commitment",
    "send",
]


def deliver(
    paths: Sequence[Path], destination: Destination, calling_ae_title: str
) -> tuple[Receipt, ...]:
    """Try once to bring results to a destination: over one association, by copying, or by POST.

    Args:
        paths: the result files; for a webhook, signals.
        destination: a peer, a folder or a webhook.
        calling_ae_title: ours.

    Returns:
        One receipt per path, in their order; trouble with the peer is in them: ``delivered``, or
        else ``retry`` tells whether another attempt makes sense.

    Raises:
        ConfigError: the destination's TLS files cannot be used.
    """
    if destination.url is not None:
        receipts = post(paths, destination)
    elif destination.folder is not None:
        receipts = copy(paths, destination)
    else:
        receipts = send(paths, destination, calling_ae_title)
    for receipt in receipts:
        metrics.DELIVERIES.labels(destination.name, _outcome(receipt)).inc()
    return receipts


def identify(path: Path) -> str:
    """The UID under which the receipts know a result file or a signal.

    Raises:
        Refused: it is neither.
    """
    return read_signal(path)[0] if path.suffix == ".json" else read_item(path).sop_instance_uid


def _outcome(receipt: Receipt) -> str:
    """A receipt as the metric counts it; what is refused for good is dead at once."""
    if receipt.delivered:
        return "delivered"
    return "retried" if receipt.retry else "dead"

"""A webhook as destination: the result in short, POSTed as signed JSON (docs/webhook.md)."""

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from pathlib import Path

from msnode.config import Webhook
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from msnode.requestor.http_answer import may_pass, told
from msnode.requestor.http_request import Request, answering


def read(path: Path) -> tuple[str, bytes]:
    """A signal's identifier, the same in every attempt, and the file's bytes.

    Raises:
        Refused: the file cannot be read, or is no signal.
    """
    try:
        body = path.read_bytes()
        return str(json.loads(body)["id"]), body
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"is no signal: {type(error).__name__}") from error


def signature(body: bytes, secret: str, now: int) -> str:
    """The value of X-Msnode-Signature: unix time, and the HMAC-SHA256 (RFC 2104) of time and body.

    Args:
        body: as it is sent.
        secret: the key, shared with the receiver.
        now: unix time of the attempt in seconds; covered, so that a replay can be told.
    """
    digest = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256)
    return f"t={now},v1={digest.hexdigest()}"


def post(paths: Sequence[Path], destination: Webhook) -> tuple[Receipt, ...]:
    """POST signals, once each.

    Only the answer's status counts: redirects are not followed and its body is not read.

    Returns:
        One receipt per path, in their order, with the signal's identifier as ``sop_instance_uid``.

    Raises:
        ConfigError: its TLS files cannot be used.
    """
    return tuple(_post(path, destination) for path in paths)


def _post(path: Path, destination: Webhook) -> Receipt:
    """One signal; whatever goes wrong on the way is worth another attempt."""
    try:
        identifier, body = read(path)
    except Refused as refusal:
        return Receipt(destination.name, "", None, False, 1, f"the file {refusal}")
    request = Request("POST", destination.url, _headers(identifier, body, destination), body)
    try:
        with answering(destination, request) as response:
            status = response.status
    except TryLater as trouble:
        return Receipt(destination.name, identifier, None, False, 1, str(trouble), retry=True)
    taken = 200 <= status < 300
    return Receipt(
        destination.name, identifier, None, taken, 1, told(status), retry=may_pass(status)
    )


def _headers(identifier: str, body: bytes, destination: Webhook) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": identifier,
        "X-Msnode-Signature": signature(body, destination.secret, int(time.time())),
    }

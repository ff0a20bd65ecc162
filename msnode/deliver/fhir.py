"""A FHIR R4 server as destination: each result is one transaction (R4, 3.1.0.11)."""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from msnode.config import FhirServer
from msnode.deliver.webhook import read
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from msnode.requestor.http_answer import NO_ENTRY, Answer
from msnode.requestor.http_request import Request, ask
from msnode.requestor.operation_outcome import (
    JSON,
    MAY_PASS,
    content_of,
    entry_statuses,
    issue_codes,
)

NOT_YET = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
"""A Patient may still come, however the server words it; a wrong address the check finds."""


def transact(paths: Sequence[Path], destination: FhirServer) -> tuple[Receipt, ...]:
    """POST transactions, once each.

    A transaction that is sent again changes nothing, but for what somebody made final meanwhile:
    beside that stands what was sent. All of its requests are conditional.

    Returns:
        One receipt per path, in their order, with the Bundle's id as ``sop_instance_uid``.

    Raises:
        ConfigError: its TLS files or key cannot be used.
    """
    return tuple(_sent(path, destination) for path in paths)


def _sent(path: Path, destination: FhirServer) -> Receipt:
    try:
        identifier, body = read(path)
    except Refused as refusal:
        return Receipt(destination.name, "", None, False, 1, f"the file {refusal}")
    headers = {"Content-Type": f"{JSON}; charset=utf-8", "Accept": JSON}
    url = destination.fhir.rstrip("/")
    try:
        answer = ask(destination, Request("POST", url, headers, body))
    except TryLater as trouble:
        return Receipt(destination.name, identifier, None, False, 1, str(trouble), retry=True)
    return judged(answer, body, identifier, destination)


def judged(answer: Answer, sent: bytes, identifier: str, destination: FhirServer) -> Receipt:
    """A receipt by the answer; its text is ours, as the server's may name a patient.

    Delivered is what the server says of each entry that it did; of all else it is not known.
    """
    said = content_of(answer.body)
    codes = issue_codes(said)
    detail = ": ".join(filter(None, (answer.detail, ", ".join(codes))))
    name = destination.name
    if answer.is_success:
        wanted = content_of(sent)
        number = len(wanted["entry"]) if wanted is not None else 0
        statuses = entry_statuses(said)
        if len(statuses) == number and all(200 <= status < 300 for status in statuses):
            return Receipt(name, identifier, None, True, 1)
        bad = next((status for status in statuses if not 200 <= status < 300), None)
        why = f"an entry has status {bad}" if bad else "it is no transaction-response to all of it"
        return Receipt(name, identifier, None, False, 1, f"{detail}: {why}", retry=True)
    no_entry = answer.status in NO_ENTRY and destination.auth is not None
    retry = answer.may_pass or answer.status in NOT_YET or no_entry
    retry |= not MAY_PASS.isdisjoint(codes)
    return Receipt(name, identifier, None, False, 1, detail, retry=retry)

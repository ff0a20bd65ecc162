"""Bundles of FHIR R4 that others post to us, on record before they are answered."""

import getpass
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import sqlalchemy as sa

from msnode import metrics
from msnode.audit import SILENT, Access, Trail
from msnode.config import FhirReceive
from msnode.errors import Refused
from msnode.service.fhir_capability import capability
from msnode.store.patients import patient_key
from msnode.twin.clinical.event_csv import Flaw, RefusedRow, Row
from msnode.twin.clinical.event_hl7 import MergeRow
from msnode.twin.clinical.event_import import Imported, import_told
from msnode.twin.clinical.events import Provenance
from msnode.twin.clinical.fhir_feed import Passed, Told, Vanished, read_feed, tellers

log = logging.getLogger(__name__)

TYPES = ("transaction", "batch", "collection", "message")
"""Of a Bundle that is taken; the entries of all but the first stand each for itself."""
WRITTEN = ("POST", "PUT")
"""Requests of entries that tell something."""

Resource = dict[str, Any]


class ClinicalIntake:
    """Takes what other systems tell of patients.

    Args:
        database: migrated.
        secret: see `patients.patient_secret`.
        feed: how it is understood.
        trail: the audit trail.
    """

    def __init__(
        self, database: sa.Engine, secret: bytes, feed: FhirReceive, trail: Trail = SILENT
    ) -> None:
        self.max_bytes = feed.max_bytes
        self._database = database
        self._feed = feed
        self._trail = trail
        self._key_of = lru_cache(maxsize=4096)(partial(patient_key, secret))

    def metadata(self) -> Resource:
        """See `capability`."""
        return capability()

    def take(self, body: bytes, caller: str) -> tuple[int, Resource]:
        """Put what a Bundle says on record; the same Bundle again changes nothing.

        Args:
            body: JSON.
            caller: who sends it.

        Returns:
            Status and content of the answer: a Bundle with a response for each entry, or an
            OperationOutcome.

        Raises:
            Refused: it is no such Bundle; nothing is on record.
            TryLater: the database cannot be used now.
        """
        bundle = _parsed(body)
        entries, is_whole = bundle["entry"], bundle["type"] == "transaction"
        at = bundle.get("timestamp")
        told = self._told(entries, caller, at if isinstance(at, str) else "")
        wrong = [one for one in told if isinstance(one, RefusedRow)]
        self._trail.imported(caller, "FHIR Bundle")
        done = Imported()
        if not (is_whole and wrong):
            done, late = self._kept(told, tellers(entries, caller), whole=is_whole)
            wrong = sorted(
                {row.line: row for row in (*wrong, *late)}.values(), key=lambda r: r.line
            )
        said = {one.line for one in told if not isinstance(one, Passed | Vanished)}
        passed = {one.line for one in told} - said - done.vanished
        withdrawn = {one.line for one in told if _is_withdrawal(one)} - passed
        withdrawn -= {one.line for one in told if not _is_withdrawal(one)}
        _count(done, wrong, passed)
        log.info(
            "fhir bundle caller=%r entries=%d added=%d known=%d passed=%d refused=%d",
            caller, len(entries), done.added, done.known, len(passed), len(wrong),
        )  # fmt: skip
        if is_whole and wrong:
            return 422, outcome([_issue(flaw, row.line) for row in wrong for flaw in row.flaws])
        return 200, _response(bundle["type"], len(entries), wrong, passed, withdrawn)

    def _told(self, entries: list[Any], caller: str, at: str) -> list[Told]:
        """What the entries say; what asks for anything but to be written is refused."""
        today = date.today()
        told = list(read_feed(entries, self._feed, caller, self._key_of, today, at))
        barred = {
            number
            for number, entry in enumerate(entries, 1)
            if isinstance(entry, dict) and not _is_written(entry)
        }
        fix = "only what is to be written is taken: POST or PUT"
        return [
            *(one for one in told if one.line not in barred),
            *(RefusedRow(number, (Flaw("request", fix),)) for number in sorted(barred)),
        ]

    def _kept(
        self, told: list[Told], teller_of: Callable[[int], str], *, whole: bool
    ) -> tuple[Imported, list[RefusedRow]]:
        rows = [one for one in told if not isinstance(one, Passed | RefusedRow)]
        account, now = getpass.getuser(), time.time()

        def origin(line: int) -> Provenance:
            return Provenance("fhir", teller_of(line), line, now, account)

        return import_told(self._database, rows, origin, self._heard, whole=whole)

    def _heard(self, pair: MergeRow) -> None:
        """The audit trail hears whose records became one."""
        for patient in pair.patients:
            self._trail.patient_record("fhir", Access.UPDATED, patient)


def _is_withdrawal(one: Told) -> bool:
    return isinstance(one, Row) and one.event.kind == "withdrawn"


def _is_written(entry: Resource) -> bool:
    request = entry.get("request")
    return request is None or (isinstance(request, dict) and request.get("method") in WRITTEN)


def _parsed(body: bytes) -> Resource:
    """A Bundle of a type that is taken, with its entries as they came.

    Raises:
        Refused: it is none.
    """
    try:
        bundle = json.loads(body, parse_constant=_no_number, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON (UTF-8)") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise Refused("the body is no Bundle: post resources as entries of one")
    if bundle.get("type") not in TYPES:
        raise Refused(f"Bundle.type: give one of {', '.join(TYPES)}")
    entries = bundle.setdefault("entry", [])
    if not isinstance(entries, list):
        raise Refused("Bundle.entry is no list")
    return bundle


def _no_number(_: str) -> None:
    """NaN and infinities are none in JSON (RFC 8259 6)."""
    raise ValueError


def outcome(issues: list[Resource]) -> Resource:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(flaw: Flaw, line: int, severity: str = "error") -> Resource:
    """What is wrong with an entry; it quotes nothing of it."""
    place = f"Bundle.entry[{line - 1}]"
    said = f"{flaw.column}: {flaw.fix}" if flaw.column else flaw.fix
    return {
        "severity": severity, "code": "processing", "diagnostics": said, "expression": [place],
    }  # fmt: skip


def _response(
    kind: str, number: int, wrong: list[RefusedRow], passed: set[int], withdrawn: set[int]
) -> Resource:
    """An answer with a response for each entry (R4, 3.1.0.11)."""
    flaws: Mapping[int, tuple[Flaw, ...]] = {row.line: row.flaws for row in wrong}
    entries = []
    for line in range(1, number + 1):
        response: Resource = {"status": "200 OK"}
        if line in flaws:
            issues = [_issue(flaw, line) for flaw in flaws[line]]
            response = {"status": "422 Unprocessable Entity", "outcome": outcome(issues)}
        elif line in passed:
            fix = "it is about nothing that is kept here, and was left out"
            response["outcome"] = outcome([_issue(Flaw("", fix), line, "information")])
        elif line in withdrawn:
            fix = "it tells of nothing that holds: what it told before is withdrawn"
            response["outcome"] = outcome([_issue(Flaw("", fix), line, "information")])
        entries.append({"response": response})
    answered = "transaction-response" if kind == "transaction" else "batch-response"
    bundle: Resource = {"resourceType": "Bundle", "type": answered}
    return bundle | ({"entry": entries} if entries else {})


def _count(done: Imported, wrong: list[RefusedRow], passed: set[int]) -> None:
    refused = {row.line for row in wrong}
    for name, count in Counter(
        added=done.added, known=done.known, passed=len(passed), refused=len(refused)
    ).items():
        metrics.CLINICAL_TOLD.labels("bundle", name).inc(count)

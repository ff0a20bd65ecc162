"""Results joined with what is known of their truth, a case for each study."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from msnode.records.feedback import Verdict
from msnode.records.judgement import Judgement, Truth, of_page, standing_of, truth
from msnode.store import judgements
from msnode.store.database import results, studies
from msnode.store.evidence_tables import study_values
from msnode.store.patients import ID_DIGITS, merged_pairs
from msnode.store.reader_feedback import every_verdict

By = Literal["all", "scanner", "sequence", "age", "sex", "month", "model"]
BY: tuple[By, ...] = get_args(By)
DECADES = (30, 40, 50, 60, 70)
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EvidenceCase:
    """A study's newest result and what is known of its truth.

    Attributes:
        person: whose it is; nothing that leaves the node.
        outcome: present, absent, undetermined or not_analysed.
        probability: in [0, 1]; None where not analysed.
        created_at: of the result, unix s.
        model: name, version and the begin of the digest.
        truth: see `records.judgement.truth`.
        readers: whose word stands; 0: there is no feedback.
        scanner: "" unknown, likewise the next three.
        age: years.
    """

    study_key: str
    person: str
    outcome: str
    probability: float | None
    created_at: float
    model: str
    truth: Truth
    readers: int
    scanner: str
    sequence: str
    sex: str
    age: float | None

    @property
    def is_true(self) -> bool | None:
        """Whether multiple sclerosis is present; None where that is not known."""
        return {"present": True, "absent": False}.get(self.truth)

    def group(self, by: By) -> str:
        """In which group it is."""
        month = datetime.fromtimestamp(self.created_at, UTC).strftime("%Y-%m")
        names = {
            "all": "all", "scanner": self.scanner, "sequence": self.sequence, "sex": self.sex,
            "month": month, "model": self.model, "age": age_group(self.age),
        }  # fmt: skip
        return names[by] or UNKNOWN


def age_group(age: float | None) -> str:
    """A decade; "" where the age is not known."""
    if age is None:
        return ""
    first = max((one for one in DECADES if age >= one), default=0)
    if not first:
        return f"below {DECADES[0]}"
    return f"{first}-{first + 9}" if first < DECADES[-1] else f"{first} and over"


def cases_of(connection: sa.Connection, since: float = 0.0) -> list[EvidenceCase]:
    """All studies that have a result made since a moment, with what is known of them."""
    said = _said(connection)
    values = {row.study_key: row for row in connection.execute(sa.select(study_values))}
    persons = _Persons(connection)
    of = results.c
    query = sa.select(
        of.study_key, of.generation, of.outcome, of.decision, of.probability, of.created_at,
        of.model, of.model_digest, studies.c.patient_key,
    ).join(studies).order_by(of.study_key, of.generation)  # fmt: skip
    rows: dict[str, list[sa.Row[Any]]] = defaultdict(list)
    found: Iterable[sa.Row[Any]] = connection.execute(query)
    for row in found:
        rows[row.study_key].append(row)
    return [
        _case(mine, said.get(key, []), values.get(key), persons.of(mine[-1]))
        for key, mine in rows.items()
        if mine[-1].created_at >= since
    ]


def _case(
    rows: list[sa.Row[Any]], said: list[Judgement], values: sa.Row[Any] | None, person: str
) -> EvidenceCase:
    """The newest result of a study, whichever was read."""
    newest = rows[-1]
    return EvidenceCase(
        study_key=newest.study_key,
        person=person,
        outcome=newest.outcome,
        probability=newest.probability,
        created_at=newest.created_at,
        model=f"{newest.model or UNKNOWN} {newest.model_digest[:8]}",
        truth=truth(said, {row.generation: row.decision for row in rows}),
        readers=len(standing_of(said)),
        scanner=values.scanner if values is not None else "",
        sequence=values.sequence if values is not None else "",
        sex=values.sex if values is not None else "",
        age=values.age if values is not None else None,
    )


def _said(connection: sa.Connection) -> dict[str, list[Judgement]]:
    """What was said, by study."""
    found: dict[str, list[Judgement]] = defaultdict(list)
    for one in (*judgements.every(connection), *_by_page(every_verdict(connection))):
        found[one.study_key].append(one)
    return found


def _by_page(verdicts: Iterable[Verdict]) -> list[Judgement]:
    """Readings that were finished on the page: each takes the place of the reader's earlier one."""
    return [
        Judgement(
            f"page:{one.number}",
            "page",
            one.study_key,
            one.generation,
            "counted",
            of_page(one),
            None,
            f"page {one.given_by}",
            one.given_at,
            one.given_at,
        )
        for one in verdicts
    ]


class _Persons:
    """Who is who: keys of one ID and those that somebody has merged are one person."""

    def __init__(self, connection: sa.Connection) -> None:
        self._into: dict[str, str] = {}
        for old, into in merged_pairs(connection):
            one, other = self._root(old[:ID_DIGITS]), self._root(into[:ID_DIGITS])
            if one != other:
                self._into[one] = other

    def of(self, row: sa.Row[Any]) -> str:
        """Of a study; one without an ID is a person of its own."""
        key = row.patient_key[:ID_DIGITS]
        return self._root(key) if key else str(row.study_key)

    def _root(self, key: str) -> str:
        while key in self._into:
            key = self._into[key]
        return key

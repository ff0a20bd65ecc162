"""What readers hold otherwise than results do, which a patient's record does not know."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from msnode.records.dicom_date import day_of
from msnode.records.feedback import Feedback, FeedbackKind, rejected, standing
from msnode.store.reader_feedback import of_studies
from msnode.twin.history import Entry, newest

OTHERWISE: tuple[FeedbackKind, ...] = ("reject", "add", "not_ms", "wrong_series")
"""Kinds of feedback that contradict a result."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """A study whose newest result a reader contradicted.

    Attributes:
        study_key: of the study.
        day: of the study; None where it has no date.
        counts: how often, by kind of `OTHERWISE`, of rejections how many lesions; kinds that nobody
            said are left out.
    """

    study_key: str
    day: date | None
    counts: dict[FeedbackKind, int]


def disputed(connection: sa.Connection, entries: Iterable[Entry]) -> list[Disputed]:
    """The studies that readers hold otherwise, by day.

    Args:
        connection: to the database.
        entries: results of a patient's studies, of all generations.
    """
    latest = newest(entries)
    said = of_studies(connection, [entry.study_key for entry in latest])
    found = [
        Disputed(entry.study_key, day_of(entry.study_date), counts)
        for entry in latest
        if (counts := _counts(said, entry))
    ]
    return sorted(found, key=lambda one: (one.day or date.min, one.study_key))


def _counts(said: Iterable[Feedback], entry: Entry) -> dict[FeedbackKind, int]:
    """How often a result is contradicted, by kind."""
    mine = entry.study_key, entry.generation
    own = [one for one in said if (one.study_key, one.generation) == mine]
    counts = Counter(one.kind for one in standing(own))
    counts["reject"] = len(rejected(own))  # two readers may reject the same lesion
    return {kind: counts[kind] for kind in OTHERWISE if counts[kind]}

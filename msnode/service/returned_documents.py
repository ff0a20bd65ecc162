"""Reads SRs that came from outside: what a verified one says of a result of ours is put on record.

They are kept like all that a study brings along, start no analysis, and are read behind the
receiver's back, each once: its SOPInstanceUID is on record then, whatever it says.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from msnode import metrics
from msnode.config import Feedback, ReportCode, ReportText
from msnode.confined import Confined
from msnode.errors import MsnodeError, TryLater
from msnode.receive.dicom.sop_classes import DOCUMENTS
from msnode.records.judgement import Judgement, State
from msnode.records.uid_hash import uid_hash
from msnode.report.returned_sr import Meaning, ReturnedDocument, read_returned
from msnode.store.database import instances, studies
from msnode.store.judgements import add, results_of, unread
from msnode.store.patients import are_one, contradict, patient_key, reader_key

log = logging.getLogger(__name__)

MOST = 10
"""Documents of one round: each is read in a process of its own."""
BEHIND = 10_000
"""Rows that may be written later than those of a higher number, by other hosts."""


def meanings_of(feedback: Feedback) -> tuple[Meaning, ...]:
    """What the site's codes and texts mean."""
    told: list[ReportCode | ReportText] = [*feedback.codes, *feedback.texts]
    return tuple(Meaning(_code(one.concept), one.answer, one.means) for one in told)


def _code(text: str) -> tuple[str, str]:
    value, scheme = text.split(" ")
    return value, scheme


class ReturnedDocuments:
    """Reads them.

    Args:
        feedback: what codes and texts mean.
        database: migrated.
        data: the data folder.
        secret: see `patients.patient_secret`.
        glance: opens the files.
    """

    def __init__(
        self, feedback: Feedback, database: sa.Engine, data: Path, secret: bytes, glance: Confined
    ) -> None:
        self._meanings = meanings_of(feedback)
        self._database = database
        self._data = data
        self._secret = secret
        self._glance = glance
        self._after = 0

    def read(self) -> bool:
        """Read the oldest documents that nobody has read; returns whether there may be more.

        Raises:
            OSError: the disk cannot be used now; the next round does it again.
        """
        with self._database.connect() as connection:
            newest = connection.scalar(sa.select(sa.func.max(instances.c.id))) or 0
            due = unread(connection, DOCUMENTS, self._after, MOST)
        for row in due:
            self._read(row)
        if len(due) < MOST:
            self._after = max(newest - BEHIND, 0)
        return len(due) == MOST

    def _read(self, row: sa.Row[Any]) -> None:
        """Put one on record; where another host was quicker, its word stands."""
        document = self._opened(self._data / row.path)
        try:
            with self._database.begin() as connection:
                one = self._judgement(connection, row, document)
                add(connection, [one])
        except sa.exc.IntegrityError:
            log.info("study=%s document was read by another host", row.study_key)
            return
        metrics.DOCUMENTS.labels(one.state, one.why).inc()
        log.log(
            logging.WARNING if one.state == "unclear" else logging.INFO,
            "study=%s generation=%d document=%s %s %s", one.study_key, one.generation,
            uid_hash(one.identity), one.state, one.why or one.judged or "",
        )  # fmt: skip

    def _opened(self, path: Path) -> ReturnedDocument | None:
        """What a document says; None where it cannot be read, whatever is wrong with it."""
        try:
            return self._glance.call(ReturnedDocument, read_returned, path, self._meanings)
        except TryLater:
            raise
        except MsnodeError as error:
            log.warning("a document is unreadable file=%s error=%s", path.name,
                        type(error).__name__)  # fmt: skip
            return None

    def _judgement(
        self, connection: sa.Connection, row: sa.Row[Any], document: ReturnedDocument | None
    ) -> Judgement:
        """What is put on record of a document."""
        study, generation = row.study_key, 0
        state: State = "unrelated"
        why = ""
        if document is None:
            state, why = "unclear", "unreadable"
        elif not results_of(connection, [row.sop_instance_uid]):  # else it is ours, and no verdict
            found = _referred(connection, document)
            if len(found) == 1:
                ((study, generation),) = found.items()
                state, why = self._state(connection, study, document)
            elif found:
                state, why = "unclear", "several_studies"
        counts = document if document is not None and state == "counted" else None
        return Judgement(
            identity=row.sop_instance_uid,
            source="sr",
            study_key=study,
            generation=generation,
            state=state,
            judged=counts.judged if counts is not None else None,
            diagnosis=None,
            reader=reader_key(self._secret, counts.reader) if counts is not None else "",
            given_at=(document.given_at if document is not None else 0.0) or row.received_at,
            seen_at=time.time(),
            why=why,
            replaces=document.replaces if document is not None else (),
        )

    def _state(
        self, connection: sa.Connection, study: str, document: ReturnedDocument
    ) -> tuple[State, str]:
        """Whether a document that refers to a result counts."""
        whose = sa.select(studies.c.patient_key).where(studies.c.study_key == study)
        known = connection.scalar(whose) or ""
        key = patient_key(self._secret, document.patient_id, document.issuer)
        if contradict(known, key) and not are_one(connection, known, key):
            return "unclear", "other_patient"
        if not document.verified:
            return "unverified", ""
        return ("counted", "") if document.judged is not None else ("unclear", document.why)


def _referred(connection: sa.Connection, document: ReturnedDocument) -> dict[str, int]:
    """The studies, by generation, that a document judges.

    Any reference within its own study will do. A result of another study must be among its
    evidence or predecessors: who reports a later scan may well name an earlier result.
    """
    own = uid_hash(document.study_instance_uid)
    here = results_of(connection, document.refers)
    if own in here:
        return {own: here[own]}
    firm: Sequence[str] = document.firm
    return results_of(connection, firm)

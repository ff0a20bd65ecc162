"""Verdicts on results as CSV: taken line by line, so that it can be stopped and repeated."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as day_time
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from msnode.records.judgement import DIAGNOSES, JUDGED, Diagnosis, Judged, Judgement
from msnode.records.uid_hash import study_key
from msnode.store.csv_lines import Cells, table_lines
from msnode.store.database import results, studies
from msnode.store.judgements import add, known
from msnode.store.patients import accession_key, reader_key
from msnode.twin.clinical.event_kinds import day

COLUMNS = ("study", "accession", "verdict", "diagnosis", "reader", "date")
NEEDED = ("verdict", "reader", "date")
LONGEST = 64
"""Characters of a cell."""
BATCH = 500
Tell = Callable[[int, str, str], None]
"""Hears of a bad cell: line, column ("" of the whole line), and what to do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the lines.

    Attributes:
        added: are on record now, or would be.
        known: were on record before.
        refused: are not.
    """

    added: int
    known: int
    refused: int


class _Flaw(Exception):
    """A cell that cannot be used."""

    def __init__(self, column: str, fix: str) -> None:
        super().__init__(fix)
        self.column = column


def import_verdicts(
    database: sa.Engine, secret: bytes, path: Path, tell: Tell, *, dry_run: bool = False
) -> Taken:
    """Add the verdicts of a file; whatever stops it, the same file again adds the rest.

    Args:
        database: migrated.
        secret: see `patients.patient_secret`.
        path: of the CSV, see docs/feedback.md.
        tell: hears of each bad cell, in the order of the file; nothing of its content.
        dry_run: only look what would happen.

    Raises:
        Refused: it is no such file.
        OSError: it cannot be read.
    """
    refused = 0

    def told(line: int, column: str, fix: str) -> None:
        nonlocal refused
        refused += 1
        tell(line, column, fix)

    with database.connect() as connection:
        found = list(_Lines(secret).of(connection, path, told))
        fresh = {one.identity for one in found}
        fresh -= known(connection, fresh)
    for begin in range(0, 0 if dry_run else len(found), BATCH):
        with database.begin() as connection:
            add(connection, found[begin : begin + BATCH])
    return Taken(len(fresh), len(found) - len(fresh), refused)


class _Lines:
    """Reads lines into judgements.

    Args:
        secret: see `patients.patient_secret`.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._now = time.time()
        self._said: dict[tuple[str, str, str], tuple[str, int]] = {}

    def of(self, connection: sa.Connection, path: Path, tell: Tell) -> Iterator[Judgement]:
        """The lines that say something, each once."""
        for number, cells in table_lines(path, COLUMNS, NEEDED):
            if isinstance(cells, str):
                tell(number, "", cells)
                continue
            try:
                yield self._read(connection, number, dict.fromkeys(COLUMNS, "") | cells)
            except _Flaw as flaw:
                tell(number, flaw.column, str(flaw))

    def _read(self, connection: sa.Connection, number: int, cells: Cells) -> Judgement:
        for name, cell in cells.items():
            if len(cell) > LONGEST or not cell.isprintable():
                raise _Flaw(name, f"use at most {LONGEST} printable characters")
        judged, diagnosis = _word(cells, "verdict", JUDGED), _word(cells, "diagnosis", DIAGNOSES)
        if judged is None and diagnosis is None:
            raise _Flaw("verdict", f"give one of {', '.join(JUDGED)}; or a diagnosis")
        if not cells["reader"]:
            raise _Flaw("reader", "give a pseudonym, the same in all lines of one reader")
        given = _day(cells["date"])
        study = self._study(connection, cells)
        generation = _generation(connection, study, given, judged)
        reader = reader_key(self._secret, cells["reader"])
        words = f"{judged or ''}\\{diagnosis or ''}"
        before, line = self._said.setdefault((study, reader, given.isoformat()), (words, number))
        if before != words:
            raise _Flaw("verdict", f"line {line} says otherwise, of the same study, reader and day")
        content = "\\".join((study, words, reader, given.isoformat()))
        return Judgement(
            identity=f"csv:{hashlib.sha256(content.encode()).hexdigest()[:32]}",
            source="csv",
            study_key=study,
            generation=generation,
            state="counted",
            judged=cast("Judged | None", judged),
            diagnosis=cast("Diagnosis | None", diagnosis),
            reader=reader,
            given_at=datetime.combine(given, day_time(12)).timestamp(),
            seen_at=self._now,
        )

    def _study(self, connection: sa.Connection, cells: Cells) -> str:
        """Key of the only study that a line names."""
        of = studies.c
        wanted = []
        if cells["study"]:
            wanted.append(of.study_key == study_key(cells["study"]))
        if cells["accession"]:
            wanted.append(of.accession_key == accession_key(self._secret, cells["accession"]))
        column = "study" if cells["study"] else "accession"
        if not wanted:
            raise _Flaw("study", "give a StudyInstanceUID or a study's key, or an accession number")
        found = connection.scalars(sa.select(of.study_key).where(*wanted)).all()
        if not found:
            raise _Flaw(column, "no such study is here: of another node, or forgotten?")
        if len(found) > 1:
            raise _Flaw("accession", f"{len(found)} studies have it: give the StudyInstanceUID")
        return str(found[0])


def _word(cells: Cells, column: str, known: tuple[Any, ...]) -> str | None:
    """A cell that must be one of some words; None where it is empty."""
    word = cells[column].casefold().replace(" ", "_").replace("-", "_")
    if word and word not in known:
        raise _Flaw(column, f"write one of {', '.join(known)}")
    return word or None


def _day(text: str) -> date:
    try:
        given = day(text)
    except ValueError as error:
        raise _Flaw("date", str(error.args[0])) from error
    if given > date.today():
        raise _Flaw("date", "is in the future; write the day of the verdict as 2026-01-31")
    return given


def _generation(connection: sa.Connection, study: str, given: date, judged: str | None) -> int:
    """The newest result that there was at the end of the day; 0 for none.

    Raises:
        _Flaw: there was none that could be agreed with, and that is what the line does.
    """
    end = datetime.combine(given, day_time.max).timestamp()
    of = results.c
    mine = sa.select(of.generation, of.decision).where(of.study_key == study, of.created_at <= end)
    row = connection.execute(mine.order_by(of.generation.desc()).limit(1)).one_or_none()
    is_decided = row is not None and row.decision in ("present", "absent")
    if judged in ("agree", "disagree") and not is_decided:
        had = "had no result yet" if row is None else "had a result without a decision"
        raise _Flaw("verdict", f"the study {had} on that day: write ms, not_ms or unsure instead")
    return row.generation if row is not None else 0

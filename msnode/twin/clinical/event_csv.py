"""Clinical events as CSV: a row read into an event or refused with the fix, and written again."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from msnode.records.sentences import Sentence, Text
from msnode.store.csv_lines import table_lines
from msnode.twin.clinical.event_kinds import FIRST_YEAR, KINDS, Kind, Spell, day, partial_day
from msnode.twin.clinical.events import Event

COLUMNS = (
    "patient", "issuer", "date", "kind", "value", "unit", "detail", "note", "identifier",
    "replaces",
)  # fmt: skip
NEEDED = ("patient", "date", "kind")
"""Columns without which no row says anything."""
LONGEST = {"note": 2000, "value": 200, "detail": 200}
"""Characters of a cell; of the others `LONGEST_NAME`."""
LONGEST_NAME = 64
UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which databases do not take, and bytes that are no UTF-8."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a row.

    Attributes:
        column: where; "" for the row as a whole.
        fix: what to do; quotes nothing of the row.
    """

    column: str
    fix: Text


@dataclass(frozen=True, slots=True)
class Row:
    """A row that says something.

    Attributes:
        line: in the file, from 1.
        patient_key: see `store.patients`.
        event: what it says.
    """

    line: int
    patient_key: str
    event: Event


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is left out."""

    line: int
    flaws: tuple[Flaw, ...]


KeyOf = Callable[[str, str], str]
"""`store.patients.patient_key` with the node's secret."""


def read(path: Path, key_of: KeyOf, today: date) -> Iterator[Row | RefusedRow]:
    """The rows of a file, one after the other; blank lines are none.

    Args:
        path: UTF-8, with or without a byte order mark; commas or semicolons between the cells.
        key_of: makes the patient's key.
        today: no event is later.

    Raises:
        Refused: its header lacks a column or has one that nobody knows, or it is no CSV.
        OSError: it cannot be read.
    """
    for number, cells in table_lines(path, COLUMNS, NEEDED):
        if isinstance(cells, str):
            yield RefusedRow(number, (Flaw("", cells),))
        else:
            yield row_of(number, cells, key_of, today)


def clean(cell: str) -> str:
    """Without spaces around, and in the composed form, whichever the writer's system prefers."""
    cell = cell.strip()
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def row_of(line: int, cells: dict[str, str], key_of: KeyOf, today: date) -> Row | RefusedRow:
    """What the cells of a row say, or what is wrong with them.

    Args:
        line: or number of the entry, from 1.
        cells: by column; those that lack are empty.
        key_of: makes the patient's key.
        today: no event is later.
    """
    cells = dict.fromkeys(COLUMNS, "") | {name: clean(cell) for name, cell in cells.items()}
    flaws = [
        Flaw(name, fix) for name, cell in cells.items() if (fix := unfit(name, cell)) is not None
    ]
    event = _event(cells, today, flaws) if not flaws else None
    if not cells["patient"]:
        flaws.append(Flaw("patient", Sentence("fix_patient")))
    if event is None or flaws:
        return RefusedRow(line, tuple(flaws))
    return Row(line, key_of(cells["patient"], cells["issuer"]), event)


def unfit(column: str, cell: str) -> Sentence | None:
    """What is wrong with a cell, whatever its meaning; None where nothing is."""
    longest = LONGEST.get(column, LONGEST_NAME)
    if len(cell) > longest:
        return Sentence("fix_length", longest=longest)
    if UNREADABLE.search(cell):
        return Sentence("fix_characters")
    return None


def _event(cells: dict[str, str], today: date, flaws: list[Flaw]) -> Event | None:
    """What a row says; None, or more flaws, where that cannot be."""
    kind = KINDS.get(cells["kind"].casefold())
    if kind is None:
        flaws.append(Flaw("kind", Sentence("fix_kind", kinds=", ".join(KINDS))))
        return None
    first, last = _days(cells["date"], kind, today, flaws)
    event = Event(
        kind=cells["kind"].casefold(),
        day=first,
        last=last,
        value=_spelled(kind.spell, "value", cells, flaws),
        unit=cells["unit"],
        detail=_spelled(kind.detail, "detail", cells, flaws) if kind.detail else cells["detail"],
        note=cells["note"],
        identifier=cells["identifier"],
        replaces=cells["replaces"],
    )
    flaws += _together(event, kind)
    return event


def _spelled(spell: Spell, column: str, cells: dict[str, str], flaws: list[Flaw]) -> str:
    try:
        return spell(cells[column])
    except ValueError as error:
        flaws.append(Flaw(column, _fix(error)))
        return ""


def _fix(error: ValueError) -> Text:
    """What a `Spell` said; as the text of the error it would be English alone."""
    fix: Text = error.args[0]
    return fix


def _days(text: str, kind: Kind, today: date, flaws: list[Flaw]) -> tuple[date | None, date | None]:
    if not text and not kind.needs_day:
        return None, None
    try:
        found, last = partial_day(text) if kind.partial else (day(text), None)
    except ValueError as error:
        flaws.append(Flaw("date", _fix(error)))
        return None, None
    if found > today:
        flaws.append(Flaw("date", Sentence("fix_future")))
    elif found.year < FIRST_YEAR:
        flaws.append(Flaw("date", Sentence("fix_before", year=FIRST_YEAR)))
    return found, last


def _together(event: Event, kind: Kind) -> Iterator[Flaw]:
    """What is wrong with cells beside each other."""
    if event.unit != kind.unit:
        fix = Sentence("fix_unit", unit=kind.unit) if kind.unit else Sentence("fix_no_unit")
        yield Flaw("unit", fix)
    if event.detail and kind.detail is None:
        yield Flaw("detail", Sentence("fix_no_detail"))
    if event.kind == "withdrawn" and not event.replaces:
        yield Flaw("replaces", Sentence("fix_withdrawn"))
    if event.replaces and event.replaces == event.identifier:
        yield Flaw("identifier", Sentence("fix_own_identifier"))
    if event.kind == "relapse_review" and event.day and event.value > event.day.isoformat():
        yield Flaw("value", Sentence("fix_review"))


def cells_of(event: Event, patient: str, issuer: str) -> dict[str, str]:
    """An event as `read` takes it."""
    return {
        "patient": patient, "issuer": issuer,
        "date": event.when,
        "kind": event.kind, "value": event.value, "unit": event.unit, "detail": event.detail,
        "note": event.note, "identifier": event.identifier, "replaces": event.replaces,
    }  # fmt: skip

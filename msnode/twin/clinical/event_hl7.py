"""Clinical events of HL7 v2 messages: results (ORU^R01), and merges of patients (ADT^A40).

Each result becomes the cells that a row of CSV would have, so that one set of checks holds for all.
HL7 v2.5.1: 3.3.40 (A40), 7.3.1 (ORU^R01), 7.4.1 (OBR), 7.4.2 (OBX).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from msnode.errors import Refused
from msnode.hl7v2.hl7_message import Segment, Unreadable, cut, segments
from msnode.twin.clinical.event_csv import (
    LONGEST_NAME,
    Flaw,
    KeyOf,
    RefusedRow,
    Row,
    clean,
    row_of,
    unfit,
)
from msnode.twin.clinical.event_kinds import KINDS, nothing
from msnode.twin.clinical.events import VERSION

LARGEST = 64 * 1024**2
"""Bytes: a file is read as a whole, and shall not fill the memory."""
SYSTEM = "99MSNODE"
"""Coding system (OBX-3.3) of the kinds of the CSV."""
HOLDS, CORRECTS, WITHDRAWN = ("F",), ("C",), ("D", "W")
"""Of OBX-11 (HL7 table 0085)."""
PLAIN, CODED = ("NM", "ST", "TX", "DT", "TS", "DTM"), ("CE", "CWE")
"""Of OBX-2 (HL7 table 0125): what is one value. Others, as SN, would be read wrongly."""
FIELDS = {
    "patient": "PID-3", "issuer": "PID-3", "date": "OBX-14", "kind": "OBX-3", "value": "OBX-5",
    "unit": "OBX-6", "note": "NTE-3", "identifier": "OBR-3", "replaces": "OBR-3",
}  # fmt: skip
"""Where the columns of the CSV stand."""

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class MergeRow:
    """A message that makes two IDs one patient.

    Attributes:
        line: number of the message, from 1.
        old_key: that is given up (MRG-1).
        into_key: that goes on (PID-3).
        patients: their PatientIDs, for the audit trail alone.
    """

    line: int
    old_key: str
    into_key: str
    patients: tuple[str, str]


def read_messages(path: Path, key_of: KeyOf, today: date) -> Iterator[Row | RefusedRow | MergeRow]:
    """What the messages of a file say; `line` is the number of the message, from 1.

    Args:
        path: messages one after the other, also as a batch, or framed as on a socket.
        key_of: makes the patient's key.
        today: no event is later.

    Raises:
        Refused: there is no message in it.
        OSError: it cannot be read.
    """
    if path.stat().st_size > LARGEST:
        raise Refused(f"it has more than {LARGEST // 1024**2} MiB: split the file")
    for number, message in enumerate(cut(path.read_bytes()), 1):
        yield from read_message(message, number, key_of, today)


def read_message(
    message: bytes, number: int, key_of: KeyOf, today: date
) -> Iterator[Row | RefusedRow | MergeRow]:
    """What one message says; what is wrong with a part of it leaves the other parts alone.

    Args:
        message: with its segments ended by CR.
        number: of it, from 1.
        key_of: makes the patient's key.
        today: no event is later.
    """
    try:
        found = segments(message)
        header = found[0]
        kind = (header.only(9), header.only(9, 2))
        if not header.only(12).startswith("2."):
            raise Unreadable("MSH-12", "only versions 2.x are read")
        if kind == ("ORU", "R01"):
            yield from _results(found, number, key_of, today)
        elif kind == ("ADT", "A40"):
            yield _merge(found, number, key_of)
        else:
            raise Unreadable("MSH-9", "only ORU^R01 and ADT^A40 are read")
    except Unreadable as error:
        yield _refused(number, error)


def _refused(number: int, error: Unreadable) -> RefusedRow:
    return RefusedRow(number, (Flaw(error.place, error.fix),))


def _merge(found: list[Segment], number: int, key_of: KeyOf) -> MergeRow:
    """The two patients of an A40, which has one pair only."""
    sides = [[one for one in found if one.name == name] for name in ("MRG", "PID")]
    if [len(side) for side in sides] != [1, 1]:
        raise Unreadable("", "one PID and one MRG are wanted: send a message for each merge")
    old, into = who_of(sides[0][0], 1), who_of(sides[1][0], 3)
    return MergeRow(number, key_of(*old), key_of(*into), (old[0], into[0]))


def who_of(segment: Segment, field: int) -> tuple[str, str]:
    """PatientID and issuer: the only identifier, or the only one of type MR (CX, 2.A.14).

    Raises:
        Unreadable: it is not told, or not plainly.
    """
    every = [one for one in segment.repetitions(field) if one]
    records = [one for one in every if segment.parts(one)[4:5] == ["MR"]] or every
    who = ("", "")
    if len(records) == 1:
        who = clean(segment.parts(records[0])[0]), clean(_authority(segment, records[0]))
    if not who[0]:
        raise Unreadable(segment.place(field), "give one identifier, or one of type MR")
    for column, text in zip(("patient", "issuer"), who, strict=True):
        if fix := unfit(column, text):
            raise Unreadable(segment.place(field), fix)
    return who


def _authority(segment: Segment, identifier: str) -> str:
    """CX-4 (HD): its namespace, or else its universal ID."""
    components = segment.components(identifier)
    found = segment.subcomponents(components[3]) if len(components) > 3 else []
    return next((name for name in found[:2] if name.strip()), "")


def _results(
    found: list[Segment], number: int, key_of: KeyOf, today: date
) -> Iterator[Row | RefusedRow]:
    """Each OBX belongs to the PID and OBR before it, each NTE to the OBX."""
    sent = found[0].only(7)
    who: tuple[str, str] | None = None
    order: Segment | None = None
    named: set[tuple[str, str, str]] = set()
    if not any(one.name == "OBX" for one in found):
        yield RefusedRow(number, (Flaw("", "there is no result (OBX) in it"),))
    for index, one in enumerate(found):
        try:
            if one.name == "PID":
                who, order = None, None
                who = who_of(one, 3)
                yield from (_row(number, cells, who, one, key_of, today) for cells in _person(one))
            elif one.name == "OBR":
                order = one
            elif one.name == "OBX":
                if who is None or order is None:
                    missing = "PID" if who is None else "OBR"
                    raise Unreadable(f"segment {one.number}", f"no {missing} that fits before it")
                cells = _result(one, order, sent) | {"note": _notes(found[index + 1 :])}
                if (name := (*who, cells["identifier"])) in named and name[2]:
                    raise Unreadable(one.place(4), "a result before has this name: give a sub-ID")
                named.add(name)
                yield _row(number, cells, who, one, key_of, today)
        except Unreadable as error:
            yield _refused(number, error)


def read_person(found: list[Segment], key_of: KeyOf, today: date) -> Iterator[Row | RefusedRow]:
    """What an update of a patient's data (ADT^A08, A31) says: year of birth and sex.

    It counts from the time of the message, and replaces what came in earlier ones.

    Raises:
        Unreadable: it does not say whose data they are.
    """
    people = [one for one in found if one.name == "PID"]
    if len(people) != 1:
        raise Unreadable("", "one PID is wanted: send a message for each patient")
    who, sent = who_of(people[0], 3), second_of(found[0].only(7))
    for cells in _person(people[0]):
        name = f"adt/{cells['kind']}"
        versioned = {"identifier": f"{name}{VERSION}{sent}", "replaces": name}
        yield _row(1, cells | versioned, who, people[0], key_of, today)


def _row(
    number: int, cells: Cells, who: tuple[str, str], at: Segment, key_of: KeyOf, today: date
) -> Row | RefusedRow:
    """A row of CSV, or what is wrong, in the names of HL7."""
    made = row_of(number, cells | {"patient": who[0], "issuer": who[1]}, key_of, today)
    if isinstance(made, Row):
        return made
    names = FIELDS if at.name == "OBX" else {**FIELDS, "value": "PID-7 or PID-8"}
    flaws = (
        Flaw(f"segment {at.number}, {names.get(f.column, at.name)}", f.fix) for f in made.flaws
    )
    return RefusedRow(number, tuple(flaws))


def _person(one: Segment) -> Iterator[Cells]:
    """Year of birth and sex, where they are known."""
    if born := one.only(7):
        yield {"kind": "birth_year", "value": born[:4]}
    if (sex := one.only(8)) in ("F", "M", "O"):
        yield {"kind": "sex", "value": sex}


def _result(one: Segment, order: Segment, sent: str) -> Cells:
    """The cells of a result.

    What has no value in the CSV (a relapse) has its date as the value; of coded values the code
    counts. A correction has a name of its own, which tells when it was sent: of several, the last
    holds (`events.sift`).
    """
    status = one.only(11)
    if status not in (*HOLDS, *CORRECTS, *WITHDRAWN):
        raise Unreadable(one.place(11), "only F, C, D and W go on record")
    kind = one.only(3).casefold()
    if one.only(3, 3) != SYSTEM or kind not in KINDS:
        fix = f"give a code of the system {SYSTEM}: {', '.join(KINDS)}"
        raise Unreadable(one.place(3), fix)
    cells = {"kind": kind, "unit": one.only(6), "date": _day(one.only(14) or order.only(7))}
    if (data_type := one.only(2)) not in (*PLAIN, *CODED):
        raise Unreadable(one.place(2), f"give one of {', '.join((*PLAIN, *CODED))}")
    value = one.only(5) or (one.only(5, 2) if data_type in CODED else "")
    if KINDS[kind].spell is nothing:
        cells["date"] = _day(value)
    else:
        cells["value"] = value
    name = _name(one, order)
    if status in HOLDS:
        return cells | {"identifier": name}
    versioned = {"identifier": f"{name}{VERSION}{second_of(sent)}", "replaces": name}
    if status in WITHDRAWN:
        return {"kind": "withdrawn", "date": _day(sent[:8])} | versioned
    return cells | versioned


def _name(one: Segment, order: Segment) -> str:
    """What this result is called in every message: order, code and sub-ID; "" without an order."""
    # with its namespace: laboratories count alike
    filler = [
        "^".join(filter(None, (order.only(n), order.only(n, 2) or order.only(n, 3))))
        for n in (3, 2)
    ]
    if not any(filler):
        if one.only(11) not in HOLDS:
            raise Unreadable(order.place(3), "a correction wants the number of the order")
        return ""
    name = "/".join(
        (filler[0] or f"placer {filler[1]}", one.only(3).casefold(), one.only(4) or "1")
    )
    room = LONGEST_NAME - len(VERSION) - 14
    if len(name) > room:
        return "hl7/" + hashlib.sha256(name.encode()).hexdigest()[:32]
    return name


def second_of(when: str, sent: str = "") -> str:
    """A time in 14 digits, in UTC (DTM, 2.A.22).

    Args:
        when: with the offset of its zone, or without.
        sent: MSH-7, whose zone is that of all times without one; where it names none either, it is
            the zone of this host.

    Raises:
        Unreadable: it is none, or not told to the minute.
    """
    told = re.match(r"([0-9]{12,14})(?:\.[0-9]*)?([+-][0-9]{4})?", when)
    if told is None:
        raise Unreadable("MSH-7", "the time of the message is wanted, to the minute")
    digits, own = told.groups()
    common = re.search(r"[+-][0-9]{4}$", sent)
    zone = own or (common[0] if common else "")
    try:
        at = datetime.strptime(f"{digits:0<14}{zone}", "%Y%m%d%H%M%S%z" if zone else "%Y%m%d%H%M%S")
        return f"{at.astimezone(UTC):%Y%m%d%H%M%S}"
    except (ValueError, OverflowError):
        raise Unreadable("MSH-7", "there is no such time") from None


def _day(when: str) -> str:
    """The day of a time (DTM, 2.A.22), as far as it is known, as the CSV writes it."""
    digits = when[:8]
    if len(digits) == 6 and digits.isdigit():
        return f"{digits[:4]}-{digits[4:]}"
    return digits


def _notes(after: list[Segment]) -> str:
    """The NTE that follow at once."""
    told: list[str] = []
    for one in after:
        if one.name != "NTE":
            break
        told += [one.plain(text) for text in one.repetitions(3)]
    return " ".join(filter(None, (text.strip() for text in told)))

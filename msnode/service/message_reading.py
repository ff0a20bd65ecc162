"""What an HL7 v2 message says: read before the database is asked for anything.

A transaction shall not wait for the reading, as on SQLite everybody else's waits for it.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial

from msnode.errors import origin
from msnode.hl7v2 import acknowledgment as ack
from msnode.hl7v2.acknowledgment import Fault
from msnode.hl7v2.hl7_message import Segment, Unreadable, segments
from msnode.hl7v2.message_header import MessageHeader
from msnode.store.orders import Order
from msnode.store.patients import accession_key, patient_key
from msnode.twin.clinical import order_hl7
from msnode.twin.clinical.event_hl7 import read_message, read_person, who_of
from msnode.twin.clinical.event_import import Read
from msnode.twin.clinical.order_hl7 import OrderHash, read_orders

log = logging.getLogger(__name__)

UPDATES = ("ADT^A08", "ADT^A31")
RESULTS = ("ORU^R01", "ADT^A40")
OF_NO_CONCERN = tuple(
    f"ADT^A{number:02}"
    for number in (*range(1, 8), *range(9, 18), *range(19, 23), *range(25, 29), 32, 33, 38, 52, 53,
                   54, 55, 60, 61, 62)
)  # fmt: skip
"""They tell where a patient is, or of one who is new: accepted, as interface engines send all ADT
alike. What is not among them deletes a patient (A23, A29), or changes who one is (A18, A24, A34 …),
and is refused rather than passed over."""
KINDS = (*RESULTS, *UPDATES, *OF_NO_CONCERN, *order_hl7.KINDS)
CODED = {("OBX", 2), ("OBX", 3), ("OBX", 11), ("MSH", 18)}
"""Fields whose values come from a table or a list."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says.

    Attributes:
        found: its segments; () where it cannot be cut.
        rows: events and merges, and those that cannot be used.
        orders: in it.
        fault: why nothing of it can be used; None where something can.
        keys: of the patient, and of the ID that a merge gives up, as far as they are plain.
    """

    found: tuple[Segment, ...] = ()
    rows: tuple[Read, ...] = ()
    orders: tuple[Order, ...] = ()
    fault: Fault | None = None
    keys: tuple[str, str] = ("", "")

    @property
    def patients(self) -> tuple[str, ...]:
        """PatientIDs, for the audit trail alone."""
        people = (one for one in self.found if one.name == "PID")
        return tuple(dict.fromkeys(who_of(one, 3)[0] for one in people))


def read_said(header: MessageHeader, message: bytes, secret: bytes) -> Said:
    """Read a message of `KINDS`.

    Args:
        header: of the message.
        message: as it came.
        secret: see `patients.patient_secret`.
    """
    if header.kind in OF_NO_CONCERN:
        return Said()
    found: tuple[Segment, ...] = ()
    try:
        found = tuple(segments(joined(message)))
        return _read(header, message, found, secret)
    except Unreadable as error:
        fault = fault_at(error.place, error.fix, found)
    except Exception as error:  # noqa: BLE001 - it would come again and again, and hold up the rest
        log.error("message not understood error=%s at=%s", *origin(error))
        fault = Fault(ack.INTERNAL, "this message cannot be read here; it is kept")
    return Said(found, fault=fault, keys=_keys(found, secret))


def _read(header: MessageHeader, message: bytes, found: tuple[Segment, ...], secret: bytes) -> Said:
    """By the kind of message."""
    if sum(one.name == "PID" for one in found) > 1:
        raise Unreadable("", "one PID is wanted: send a message for each patient")
    key_of, today, keys = partial(patient_key, secret), date.today(), _keys(found, secret)
    if header.kind in order_hl7.KINDS:
        hashes = OrderHash(key_of, partial(accession_key, secret))
        return Said(found, orders=tuple(read_orders(list(found), hashes)), keys=keys)
    rows: tuple[Read, ...]
    if header.kind in UPDATES:
        rows = tuple(read_person(list(found), key_of, today))
    else:
        rows = tuple(read_message(joined(message), 1, key_of, today))
    return Said(found, rows, keys=keys)


def joined(message: bytes) -> bytes:
    """A message with its segments ended by CR, as some end them otherwise."""
    return b"\r".join(line for line in re.split(rb"[\r\n]+", message) if line.strip())


def _keys(found: Iterable[Segment], secret: bytes) -> tuple[str, str]:
    """Keys of the patient, and of the ID that a merge gives up, as far as they are plain."""
    keys = {"PID": "", "MRG": ""}
    for one in found:
        if one.name in keys:
            with suppress(Unreadable):  # what is wrong is told where it is read
                who = who_of(one, 3 if one.name == "PID" else 1)
                keys[one.name] = patient_key(secret, *who)
    return keys["PID"], keys["MRG"]


def fault_at(place: str, fix: str, found: Sequence[Segment], code: int | None = None) -> Fault:
    """What is wrong, with the place as an answer names it."""
    match = re.fullmatch(r"(?:segment (\d+))?(?:, )?(?:(\w{3})-(\d+).*)?", place)
    number, name, field = match.groups() if match else (None, None, None)
    if number is not None and int(number) <= len(found):
        one = found[int(number) - 1]
        same = [other for other in found[: one.number] if other.name == one.name]
        is_its = name == one.name
        at = (one.name, len(same), int(field) if is_its and field else 0)
    else:
        at = (name or "", 1, int(field or 0))
    if code is None:
        code = ack.NOT_IN_TABLE if (at[0], at[2]) in CODED else ack.DATA_TYPE
        code = code if at[0] and at[2] else ack.SEQUENCE
    return Fault(code, fix, *at)

"""Orders of HL7 v2 messages: ORM^O01, OML^O21, OMG^O19 and OMI^O23.

HL7 v2.5.1: 4.4.1 (ORM), 4.4.4 (OMG), 4.4.6 (OML), 4.4.10 (OMI), 4.5.1 (ORC), 4.5.3 (OBR), 4.5.4
(TQ1), 4.5.6 (IPC). Before IPC there was, IHE's Scheduled Workflow put the accession number into
OBR-18 and the StudyInstanceUID into a segment of its own, ZDS (IHE RAD TF-2, 4.4.4.1.2.2).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from msnode.hl7v2.hl7_message import Segment, Unreadable
from msnode.records.uid_hash import uid_hash
from msnode.store.orders import Order
from msnode.twin.clinical.event_csv import KeyOf
from msnode.twin.clinical.event_hl7 import second_of, who_of

KINDS = ("ORM^O01", "OML^O21", "OMG^O19", "OMI^O23")
CANCELS = ("CA", "OC", "CR", "DC", "OD", "DR")
"""Of ORC-1 (HL7 table 0119): cancelled or discontinued, asked for or done."""
AT_ONCE = ("S", "STAT")
"""Of TQ1-9, or of the sixth component of ORC-7 and OBR-27 (HL7 table 0485)."""
MOST = 200
"""Orders of a message."""
LONGEST = 200
"""Characters that are kept of a procedure and of a reason."""


@dataclass(frozen=True, slots=True)
class OrderHash:
    """Makes the keys of orders.

    Attributes:
        of_patient: see `store.patients`.
        of_accession: see `patients.accession_key`; of a placer's number likewise.
    """

    of_patient: KeyOf
    of_accession: Callable[[str], str]


def read_orders(found: list[Segment], hashes: OrderHash) -> list[Order]:
    """The orders of a message.

    Raises:
        Unreadable: whose they are, or which, is not told.
    """
    people = [one for one in found if one.name == "PID"]
    if len(people) != 1:
        raise Unreadable("", "one PID is wanted: send a message for each patient")
    patient = hashes.of_patient(*who_of(people[0], 3))
    parts = list(islice((part for group in _groups(found) for part in _parts(group)), MOST + 1))
    if not parts:
        raise Unreadable("", "there is no order (ORC) in it")
    if len(parts) > MOST:
        raise Unreadable("", f"it has more than {MOST} orders: send several messages")
    common = _common_study(found, parts)
    return _named([_order(part, found[0], common, patient, hashes) for part in parts], hashes)


def _groups(found: list[Segment]) -> Iterator[list[Segment]]:
    """Each ORC with what follows it, up to the next."""
    starts = [index for index, one in enumerate(found) if one.name == "ORC"]
    for start, end in pairwise([*starts, len(found)]):
        yield found[start:end]


@dataclass(frozen=True, slots=True)
class _Part:
    """One order: an ORC, with one OBR and one IPC at most.

    Attributes:
        segments: the ORC, what stands before the first OBR, and what belongs to this OBR.
        item: the IPC.
        naming: where its number may stand, the first before the second.
    """

    segments: list[Segment]
    item: Segment | None
    naming: tuple[Segment | None, Segment | None]


def _parts(group: list[Segment]) -> Iterator[_Part]:
    """An order for each OBR, by its own number where there are several, and for each IPC."""
    starts = [index for index, one in enumerate(group) if one.name == "OBR"]
    bodies = [group[start:end] for start, end in pairwise([*starts, len(group)])]
    head = group[: starts[0]] if starts else group
    for body in bodies or [[]]:
        request = body[0] if body else None
        naming = (request, head[0]) if len(bodies) > 1 else (head[0], request)
        segments = [*head, *body]
        items = [one for one in body or head if one.name == "IPC"]
        if not items:
            yield _Part(segments, None, naming)
        for item in items:
            yield _Part(segments, item, naming)


def _common_study(found: list[Segment], parts: list[_Part]) -> Segment | None:
    """The ZDS of all orders: the only one, behind the last order, as IHE puts it."""
    every = [one for one in found if one.name == "ZDS"]
    is_common = len(every) == 1 and (len(parts) == 1 or every[0] in parts[-1].segments)
    return every[0] if is_common else None


def _named(read: list[tuple[str, Order]], hashes: OrderHash) -> list[Order]:
    """Orders with their keys; several studies under one number are an order each.

    Urgent ones are last: of two of one study these count.
    """
    of_number: dict[str, set[str]] = {}
    for name, order in read:
        of_number.setdefault(name, set()).add(_study(order))
    keyed = [
        replace(
            order,
            order_key=hashes.of_accession(
                name if len(of_number[name]) == 1 else f"{name} of {_study(order)}"
            ),
        )
        for name, order in read
    ]
    return sorted(keyed, key=lambda one: bool(one.stat))


def _study(order: Order) -> str:
    """Of which study it is, as far as it is told."""
    return order.study_key or order.accession_key or order.filler_key


def _order(
    part: _Part, header: Segment, common: Segment | None, patient: str, hashes: OrderHash
) -> tuple[str, Order]:
    """An order without its key, and the number of which that is made."""
    control, request = part.segments[0], _first(part.segments, "OBR")
    system = "^".join(header.fields[3:5])
    number, filler = (
        next(filter(None, (_number(one, field, system) for one in part.naming)), "")
        for field in (2, 3)
    )
    if not (number or filler):
        raise Unreadable(control.place(2), "an order wants a number, ORC-2 or ORC-3")
    zds = _first(part.segments, "ZDS") or common
    uid = _told(part.item, 3) or _told(zds, 1)
    sent = header.only(7)
    when = control.only(9) if len(control.only(9)) >= 12 else sent
    return f"placer {number}" if number else f"filler {filler}", Order(
        order_key="",
        patient_key=patient,
        accession_key=hashes.of_accession(_told(part.item, 1) or _told(request, 18)),
        study_key=uid_hash(uid) if uid else "",
        told_at=second_of(when, sent),
        stat=_is_stat(part.segments),
        cancelled=control.only(1) in CANCELS or control.only(5) == "CA",
        procedure=_kept(" ".join(filter(None, (_told(request, 4), _told(request, 4, 2))))),
        reason=_reason(request),
        filler_key=hashes.of_accession(
            next(filter(None, (_told(one, 3) for one in part.naming)), "")
        ),
    )


def _first(group: list[Segment], name: str) -> Segment | None:
    return next((one for one in group if one.name == name), None)


def _told(segment: Segment | None, field: int, component: int = 1) -> str:
    """A component of the first repetition; "" where there is none."""
    parts = segment.parts(segment.repetitions(field)[0]) if segment is not None else []
    return parts[component - 1].strip() if len(parts) >= component else ""


def _number(segment: Segment | None, field: int, system: str) -> str:
    """An order's number with its namespace (EI, 2.A.28), as systems count alike.

    Args:
        segment: with the number.
        field: of it.
        system: MSH-3 and MSH-4, whose number it is where no namespace is told.
    """
    number = _told(segment, field)
    space = _told(segment, field, 2) or _told(segment, field, 3) or f"from {system}"
    return f"{number}^{space}" if number else ""


def _is_stat(group: list[Segment]) -> bool | None:
    """Whether any of the places for a priority says so; where TQ1 is, it alone counts.

    Returns:
        None where no priority is told.
    """
    timings = [one for one in group if one.name == "TQ1"]
    request = _first(group, "OBR")
    places: list[tuple[Segment | None, int, int]] = [(one, 9, 1) for one in timings]
    places = places or [(group[0], 7, 6), (request, 27, 6), (request, 5, 1)]
    told = [word for place in places if (word := _told(*place).upper())]
    return any(word in AT_ONCE for word in told) if told else None


def _reason(request: Segment | None) -> str:
    """OBR-31: of each its text, or else its code."""
    if request is None:
        return ""
    every = (request.parts(one) for one in request.repetitions(31))
    texts = ([*parts, ""][1].strip() or parts[0].strip() for parts in every)
    return _kept("; ".join(filter(None, texts)))


def _kept(text: str) -> str:
    """Text as a database takes it."""
    return "".join(one for one in text[:LONGEST] if one.isprintable())

"""Answers a proposal with A-ASSOCIATE-AC, and says which presentation contexts are accepted."""

import struct
from dataclasses import dataclass
from typing import Any

from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from msnode.association_items import (
    ACCEPTED,
    IMPLEMENTATION_CLASS,
    IMPLEMENTATION_VERSION,
    INSIGNIFICANT,
    MAXIMUM_LENGTH,
    USER_REJECTION,
    Answer,
    acceptance,
    item,
)
from msnode.receive.dicom.proposal import Proposal
from msnode.receive.dicom.upper_layer import ASSOCIATE_AC, Connection


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context."""

    sop_class_uid: str
    transfer_syntax_uid: str


def accept(
    connection: Connection, request: Proposal, ours: list[PresentationContext], max_pdu: int
) -> dict[int, Context]:
    """Answer a request with A-ASSOCIATE-AC; each context is accepted or refused on its own.

    Returns:
        The accepted contexts by their ID.
    """
    # an even ID (PS3.8 9.3.2.2) must be answered, but pynetdicom raises on it
    offers: list[Any] = [offer for number, offer in request.offers.items() if number % 2]
    roles: Any = request.roles  # a UID is a str
    negotiated, granted = negotiate_as_acceptor(offers, ours, roles)
    answers = [
        Answer(context.context_id or 0, context.result or 0, str(context.transfer_syntax[0]))
        for context in negotiated
    ]
    invalid = (number for number in request.offers if number % 2 == 0)
    answers += [Answer(number, USER_REJECTION, INSIGNIFICANT) for number in invalid]
    body = acceptance(request.reserved, answers, _user_information(max_pdu, granted))
    connection.send(struct.pack(">BxI", ASSOCIATE_AC, len(body)) + body)
    connection.establish(request.max_pdu)
    return {
        answer.context_id: Context(
            request.offers[answer.context_id].abstract_syntax, answer.transfer_syntax
        )
        for answer in answers
        if answer.result == ACCEPTED
    }


def _user_information(max_pdu: int, roles: list[SCP_SCU_RoleSelectionNegotiation]) -> bytes:
    """Our maximum length and implementation, and the roles we grant (PS3.7 D.3.3)."""
    granted = (bytes(role.from_primitive().encode()) for role in roles)
    return b"".join(
        (
            item(MAXIMUM_LENGTH, struct.pack(">I", max_pdu)),
            item(IMPLEMENTATION_CLASS, PYNETDICOM_IMPLEMENTATION_UID.encode()),
            *granted,
            item(IMPLEMENTATION_VERSION, PYNETDICOM_IMPLEMENTATION_VERSION.encode()),
        )
    )

"""What an A-ASSOCIATE-RQ proposes (PS3.8 9.3.2), without the parts that must be ignored."""

import struct
from dataclasses import dataclass, field

from msnode.association_items import (
    ABSTRACT_SYNTAX,
    APPLICATION_CONTEXT_ITEM,
    FIXED,
    MAXIMUM_LENGTH,
    OFFERED_CONTEXT,
    ROLE_SELECTION,
    TRANSFER_SYNTAX,
    USER_INFORMATION,
    items,
    uid,
    user_information,
)

UNUSABLE = "2.25.0"
"""Replaces a missing or invalid UID. Nobody supports it, so only its own context is refused, for
the abstract syntax or the transfer syntaxes (PS3.8 9.3.3.2)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A presentation context as offered.

    It has the attributes that pynetdicom's negotiation reads of a PresentationContext. A real one
    would compare each of its transfer syntaxes with all others, and raise on a bad one.
    """

    context_id: int
    abstract_syntax: str
    transfer_syntax: tuple[str, ...]


@dataclass(slots=True)
class Proposal:
    """A whole request.

    Attributes:
        reserved: AE titles and reserved bytes, which an answer repeats.
        application_context: its name, "" where there is no such item.
        offers: the presentation contexts, by their IDs.
        roles: whether the peer proposes to be SCU, and SCP, by SOP Class UID (PS3.7 D.3.3.4).
        max_pdu: longest P-DATA-TF PDU that the peer takes, bytes; 0 is any.
    """

    reserved: bytes
    application_context: str = ""
    offers: dict[int, Offer] = field(default_factory=dict)
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    max_pdu: int = 0


def read_proposal(body: bytes) -> Proposal:
    """Read a request from its protocol version on.

    Raises:
        ValueError: an item is cut off, or there is no application context.
    """
    proposal = Proposal(body[4:FIXED])
    named = False
    for kind, content in items(body[FIXED:]):
        if kind == APPLICATION_CONTEXT_ITEM:
            named, proposal.application_context = True, uid(content)
        elif kind == OFFERED_CONTEXT and content:
            # if two have the same ID, later messages can only mean the first
            proposal.offers.setdefault(content[0], _offer(content))
        elif kind == USER_INFORMATION:
            _inform(proposal, content)
    if not named:
        raise ValueError("no application context")
    return proposal


def _offer(content: bytes) -> Offer:
    """One presentation context; an error in it makes only this one unusable."""
    try:
        parts = [(kind, uid(name)) for kind, name in items(content[4:])]
    except ValueError:
        parts = []
    abstract = {name for kind, name in parts if kind == ABSTRACT_SYNTAX}
    syntaxes = dict.fromkeys(name for kind, name in parts if kind == TRANSFER_SYNTAX and name)
    name = abstract.pop() if len(abstract) == 1 else ""
    return Offer(content[0], name or UNUSABLE, tuple(syntaxes) or (UNUSABLE,))


def _inform(proposal: Proposal, content: bytes) -> None:
    """Take from the user information what concerns us; the rest is ignored, known or not."""
    for kind, value in user_information(content):
        if kind == MAXIMUM_LENGTH and len(value) == 4:
            (proposal.max_pdu,) = struct.unpack(">I", value)
        elif kind == ROLE_SELECTION and len(value) >= 4:
            scu, scp = value[-2:]
            proposal.roles[uid(value[2:-2])] = (scu == 1, scp == 1)

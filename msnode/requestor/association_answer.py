"""The answer to our A-ASSOCIATE-RQ (PS3.8 9.3.3, 9.3.4), and what became of the association.

pynetdicom reads answers strictly: of an item that it does not know, or of a reserved value, either
it aborts or its thread dies. PS3.8 wants both ignored, so an answer is put into plain words first.
"""

import struct
from collections.abc import Callable
from typing import Any

from pynetdicom import evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_ABORT

from msnode.association_items import (
    ACCEPTED,
    ANSWERED_CONTEXT,
    FIXED,
    IMPLEMENTATION_CLASS,
    INSIGNIFICANT,
    MAXIMUM_LENGTH,
    NO_REASON,
    NO_TRANSFER_SYNTAX,
    ROLE_SELECTION,
    TRANSFER_SYNTAX,
    USER_INFORMATION,
    Answer,
    acceptance,
    item,
    items,
    uid,
    user_information,
)

ASSOCIATE_AC, ASSOCIATE_RJ = 2, 3
KINDS = ("", "A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "A-ASSOCIATE-RJ", "P-DATA-TF", "A-RELEASE-RQ",
         "A-RELEASE-RP", "A-ABORT")  # fmt: skip
"""PDUs by their type (PS3.8 9.3.1)."""
HEAD = struct.Struct(">BxI")
BLANK = b" " * 32 + bytes(32)
"""For the reserved fields of an answer, which shall not be tested."""


def plain(pdu: bytes) -> bytes:
    """A PDU as it came; but an answer to our request without all that is to be ignored.

    Raises:
        ValueError: it is cut off.
    """
    if pdu[0] == ASSOCIATE_AC:
        body = _acceptance(pdu[HEAD.size :])
        return HEAD.pack(ASSOCIATE_AC, len(body)) + body
    if pdu[0] == ASSOCIATE_RJ and len(pdu) >= 10:
        return pdu[:7] + _rejection(*pdu[7:10])
    return pdu


def _acceptance(body: bytes) -> bytes:
    """What follows the length of an A-ASSOCIATE-AC."""
    answers: dict[int, Answer] = {}
    information: dict[int, bytes] = {MAXIMUM_LENGTH: bytes(4)}  # any length, where none is said
    roles: list[bytes] = []
    for kind, content in items(body[FIXED:]):
        # an ID that is even we have not asked for
        if kind == ANSWERED_CONTEXT and len(content) >= 4 and content[0] % 2:
            answers.setdefault(content[0], _answer(content))
        elif kind == USER_INFORMATION:
            information |= _useful(content)
            roles += _roles(content)
    encoded = b"".join(item(kind, value) for kind, value in sorted(information.items()))
    encoded += b"".join(item(ROLE_SELECTION, role) for role in roles)
    return acceptance(BLANK, answers.values(), encoded)


def _answer(content: bytes) -> Answer:
    """What became of one context. Accepted in no or several syntaxes, it is of no use to us."""
    number, result = content[0], content[2]
    if result != ACCEPTED:
        is_known = result <= NO_TRANSFER_SYNTAX
        return Answer(number, result if is_known else NO_REASON, INSIGNIFICANT)
    try:
        names = {uid(name) for kind, name in items(content[4:]) if kind == TRANSFER_SYNTAX}
    except ValueError:
        names = set()
    if len(names) != 1 or "" in names:
        return Answer(number, NO_TRANSFER_SYNTAX, INSIGNIFICANT)
    return Answer(number, ACCEPTED, names.pop())


def _useful(content: bytes) -> dict[int, bytes]:
    """Of the user information what pynetdicom needs; what else we propose are roles."""
    found: dict[int, bytes] = {}
    for kind, value in user_information(content):
        if kind == MAXIMUM_LENGTH and len(value) == 4:
            found[kind] = value
        elif kind == IMPLEMENTATION_CLASS and (name := uid(value)):
            found[kind] = name.encode()
    return found


def _roles(content: bytes) -> list[bytes]:
    """Answers to the roles that we propose for C-GET (PS3.7 D.3.3.4): UID, and two bytes."""
    return [
        value
        for kind, value in user_information(content)
        if kind == ROLE_SELECTION
        and len(value) >= 4
        and len(value) == int.from_bytes(value[:2], "big") + 4
        and uid(value[2:-2])
        and max(value[-2:]) <= 1
    ]


def _rejection(result: int, source: int, reason: int) -> bytes:
    """Result, source and reason of an A-ASSOCIATE-RJ; a reserved value says nothing."""
    return bytes(
        (
            result if result in (1, 2) else 1,
            source if source in (1, 2, 3) else 1,
            reason if reason in (1, 2, 3, 7) else 1,
        )
    )


class Course:
    """How an association goes, as far as pynetdicom only logs it.

    Attributes:
        opened: the connection came about.
        unreadable: the PDU that pynetdicom could not decode and why, "" if none.
        end: who aborted the association and why, "" while nobody did.
    """

    def __init__(self) -> None:
        self.opened = False
        self.unreadable = ""
        self.end = ""
        self._last = ""

    def handlers(self) -> list[EventHandlerType]:
        """What pynetdicom has to call."""
        return [
            (evt.EVT_CONN_OPEN, self._open),
            (evt.EVT_PDU_RECV, self._received),
            (evt.EVT_ACSE_SENT, self._decided),
            (evt.EVT_PDU_SENT, self._sent),
        ]

    def _open(self, event: Event) -> None:
        """Have an answer put into plain words before it is decoded, for which there is no hook."""
        self.opened = True
        provider: Any = event.assoc.dul
        provider._decode_pdu = self._tolerant(provider._decode_pdu)

    def _tolerant(self, decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def decode_plain(pdu: bytes) -> Any:
            try:
                return decode(plain(bytes(pdu)) if pdu[0] in (ASSOCIATE_AC, ASSOCIATE_RJ) else pdu)
            except Exception as error:
                why = str(error) if type(error) is ValueError else type(error).__name__
                self.unreadable = f"its {KINDS[pdu[0]]} could not be read ({why})"
                raise

        return decode_plain

    def _received(self, event: Event) -> None:
        pdu = event.pdu
        self._last = KINDS[pdu.pdu_type]
        if isinstance(pdu, A_ABORT_RQ) and not self.end:
            self.end = f"it aborted (source {pdu.source}, reason {pdu.reason_diagnostic})"

    def _decided(self, event: Event) -> None:
        """We abort as the service user: pynetdicom does so of what takes too long."""
        if isinstance(getattr(event, "primitive", None), A_ABORT) and not self.end:
            self.end = f"we aborted, as {self.unreadable or 'no answer came in time'}"

    def _sent(self, event: Event) -> None:
        """We abort as the service provider: what came is no PDU, or not in its place."""
        if isinstance(event.pdu, A_ABORT_RQ) and not self.end:
            out_of_place = f"what it sent may not follow {self._last or 'an A-ASSOCIATE-RQ'}"
            self.end = f"we aborted, as {self.unreadable or out_of_place}"

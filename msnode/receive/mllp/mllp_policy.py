"""Who may send HL7 v2 messages: by address and certificate, and what their header says."""

from msnode import config
from msnode.hl7v2.hl7_message import Unreadable
from msnode.hl7v2.message_header import header_of
from msnode.receive.access.policy import Peer

LOCAL = "HL7"
"""The name of whoever comes from this host, where no callers are configured."""


class MllpPolicy:
    """The rules of ``receive.hl7.callers``."""

    def __init__(self, hl7: config.Hl7) -> None:
        self._callers = hl7.callers

    def rule_against(self, peer: Peer) -> str | None:
        """The rule that keeps a peer out, whatever it would send; None where none does."""
        if not self._callers:
            return None if peer.host.is_loopback else "caller"
        near = [caller for caller in self._callers if peer.is_at(caller.address)]
        if not near:
            return "address"
        return None if any(peer.shows(caller.subject) for caller in near) else "certificate"

    def name_of(self, peer: Peer, message: bytes) -> str | None:
        """The name of the caller that a message comes from; None where it fits none.

        Args:
            peer: that no rule keeps out.
            message: as it came; without a header it is anybody's who may come in.
        """
        if not self._callers:
            return LOCAL
        try:
            header = header_of(message)
            said = header.text(3), header.text(4)
        except Unreadable:
            said = None
        fit = (
            caller.name
            for caller in self._callers
            if peer.is_at(caller.address) and peer.shows(caller.subject)
            and (said is None or _says(caller, *said))
        )  # fmt: skip
        return next(fit, None)


def _says(caller: config.Hl7Caller, application: str, facility: str) -> bool:
    """Whether MSH-3 and MSH-4 are as configured."""
    return caller.application in (None, application) and caller.facility in (None, facility)

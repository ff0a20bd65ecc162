"""One MLLP connection from the TLS handshake to its end, handled by one thread."""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from msnode import metrics
from msnode.errors import TryLater
from msnode.hl7v2.mllp import NoBlock
from msnode.receive.access.policy import Peer
from msnode.receive.access.rate_limit import RateLimit
from msnode.receive.access.refusals import Refusals
from msnode.receive.mllp.mllp_connection import Closed, MllpConnection
from msnode.receive.mllp.mllp_policy import MllpPolicy
from msnode.tls import names_of

log = logging.getLogger(__name__)

Take = Callable[[bytes, str], bytes | None]
"""Puts a message on record with what it changes, by its bytes and its caller; returns the answer,
None where its sender wants none. With TryLater there is none, and the connection ends."""


@dataclass(frozen=True, slots=True)
class MllpServices:
    """What all connections share.

    Attributes:
        policy: who may send.
        take: takes messages in.
        guard: records all refusals.
        pace: makes peers wait that ask for too much.
    """

    policy: MllpPolicy
    take: Take
    guard: Refusals
    pace: RateLimit

    def refuse(self, address: str, rule: str, why: str) -> None:
        """Record that a rule refused something; it costs its sender time."""
        self.pace.charge(address)
        self.guard.refuse(address, "", rule, why)


class MllpSession:
    """Answers the messages of one connection, in the order in which they come.

    Args:
        connection: the peer's.
        peer: where it is; its certificate is looked at after the handshake.
        services: what it shares with all others.
    """

    def __init__(self, connection: MllpConnection, peer: Peer, services: MllpServices) -> None:
        self.connection = connection
        self.is_idle = True
        self.is_stopping = False
        self._peer = peer
        self._services = services

    def run(self) -> None:
        """Serve until the connection ends; nothing the peer does raises an error."""
        try:
            self._services.pace.wait(self._peer.address)
            self.connection.shake_hands()
            self._peer = Peer(self._peer.address, names_of(self.connection.socket))
            rule = self._services.policy.rule_against(self._peer)
            if rule is None:
                self._serve()
            else:
                self._refuse(rule, "it fits no caller of receive.hl7")
        except Closed as over:
            metrics.HL7_BROKEN.labels(str(over)).inc()
            if str(over) == "timeout":
                self._refuse("network_timeout_s", "too slow")
        except TryLater as error:
            self._refuse("hl7_later", str(error))
        except NoBlock as error:
            metrics.HL7_BROKEN.labels("framing").inc()
            self._refuse("mllp", str(error))
        except OSError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                self._refuse("tls", str(error.reason))

    def stop(self) -> None:
        """End the connection as soon as no message is being taken; called by another thread."""
        self.is_stopping = True
        if self.is_idle:
            self.connection.interrupt()

    def _serve(self) -> None:
        """Answer message after message."""
        while not self.is_stopping:
            self.is_idle = True
            message = self.connection.message()
            if message is None:
                return
            self.is_idle = False
            caller = self._services.policy.name_of(self._peer, message)
            if caller is None:
                self._refuse("caller", "MSH-3 or MSH-4 is no caller's")
                return
            answer = self._services.take(message, caller)
            if answer is not None:
                self.connection.answer(answer)

    def _refuse(self, rule: str, why: str) -> None:
        self._services.refuse(self._peer.address, rule, why)

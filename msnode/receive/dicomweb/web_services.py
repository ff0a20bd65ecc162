"""What all connections of the STOW-RS listener share."""

from dataclasses import dataclass

from msnode import config
from msnode.audit import Trail
from msnode.receive.access.connection_limit import ConnectionLimit
from msnode.receive.access.rate_limit import RateLimit
from msnode.receive.access.refusals import Refusals
from msnode.receive.dicomweb.fhir_request import Intake
from msnode.receive.dicomweb.web_policy import WebPolicy
from msnode.receive.inbox.inbox import Inbox


@dataclass(frozen=True, slots=True)
class WebServices:
    """As `Services` of the associations.

    Attributes:
        receive: the limits.
        inbox: where instances go.
        policy: who may store.
        accepted: SOP classes.
        places: requests at once.
        trail: the audit trail.
        guard: records all refusals.
        pace: makes clients wait that ask for too much.
        clinical: takes Bundles of FHIR; None where none are taken.
    """

    receive: config.Receive
    inbox: Inbox
    policy: WebPolicy
    accepted: frozenset[str]
    places: ConnectionLimit
    trail: Trail
    guard: Refusals
    pace: RateLimit
    clinical: Intake | None = None

    def refuse(self, address: str, caller: str, rule: str, why: str) -> None:
        """Record that a rule refused something; it costs its sender time."""
        self.pace.charge(address)
        self.guard.refuse(address, caller, rule, why)

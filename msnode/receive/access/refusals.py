"""Counts and logs what a rule refuses, and audits it where it may be an attack."""

import logging

from msnode import metrics
from msnode.audit import AlertType, Node, Trail
from msnode.receive.access.log_throttle import LogThrottle

log = logging.getLogger(__name__)

SUSPICIOUS = {
    "tls": AlertType.NODE_AUTHENTICATION,
    "called_title": AlertType.NODE_AUTHENTICATION,
    "caller": AlertType.NODE_AUTHENTICATION,
    "address": AlertType.NODE_AUTHENTICATION,
    "certificate": AlertType.NODE_AUTHENTICATION,
    "token": AlertType.NODE_AUTHENTICATION,
    "rights": AlertType.RESTRICTED_FUNCTION,
    "protocol": AlertType.RESTRICTED_FUNCTION,
}
"""Rules that no well-configured peer breaks, with the type of security alert for each."""


class Refusals:
    """Records refusals: every one as a metric, at most one a minute in the log and the audit trail.

    Args:
        trail: the audit trail.
    """

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._throttle = LogThrottle()

    def refuse(self, address: str, caller: str, rule: str, why: str = "") -> None:
        """Record that a rule refused something.

        Args:
            address: where it came from.
            caller: AE title of the sender, "" where unknown.
            rule: as in ``metrics.REFUSALS``.
            why: details, without naming a patient.
        """
        metrics.REFUSALS.labels(rule).inc()
        times = self._throttle.count((address, rule))
        if not times:
            return
        log.warning(
            "refused peer=%s caller=%r rule=%s why=%r times=%d", address, caller, rule, why, times
        )
        if rule in SUSPICIOUS:
            what = f"refused by the rule {rule}, {times} times since the last alert: {why}"
            self._trail.alert(Node(caller, address), SUSPICIOUS[rule], what)

    def refuse_instance(self, address: str, caller: str, status: int, why: str) -> None:
        """Log that a C-STORE was refused; each has its answer and counts in the metrics.

        Args:
            address: where it came from.
            caller: AE title of the sender.
            status: DIMSE status of the answer.
            why: its ErrorComment.
        """
        if times := self._throttle.count((address, caller, status)):
            log.warning(
                "instance refused peer=%s caller=%r status=0x%04X reason=%r times=%d",
                address,
                caller,
                status,
                why,
                times,
            )

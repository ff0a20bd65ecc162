"""Audits what one association received: the start and end of each study's transfer."""

from collections import Counter, defaultdict

from msnode.audit import Node, Trail, Transfer
from msnode.receive.inbox.identity import Header

GROUPS = {"stored": "new", "fetched": "new", "duplicate": "held", "own": "held"}
"""Outcomes as in ``metrics.INSTANCES``; the others are failures."""


class ReceivedAudit:
    """Instances by study.

    Args:
        trail: the audit trail.
        source: who sends.
    """

    def __init__(self, trail: Trail, source: Node) -> None:
        self._trail = trail
        self._source = source
        self._studies: dict[tuple[str, str], defaultdict[str, Counter[str]]] = {}

    def add(self, header: Header, outcome: str) -> None:
        """Count an instance; the first of a study is audited at once."""
        study = header.study_instance_uid, header.patient_id
        if study not in self._studies:
            self._studies[study] = defaultdict(Counter)
            self._trail.begin(Transfer(self._source, self._trail.us, *study))
        self._studies[study][GROUPS.get(outcome, "failed")][header.sop_class_uid] += 1

    def close(self) -> None:
        """The association is over: audit what was stored and what was refused."""
        for study, groups in self._studies.items():
            for group, instances in groups.items():
                transfer = Transfer(self._source, self._trail.us, *study, instances)
                succeeded, new = group != "failed", group == "new"
                self._trail.transferred(transfer, succeeded=succeeded, new=new)
        self._studies.clear()

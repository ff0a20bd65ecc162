"""What pages with patients have in common: whether there are any, who may see whom, the trail."""

import time
from threading import Lock
from typing import Annotated

from fastapi import Depends, Path

from msnode.audit.messages import Access
from msnode.pages.access.scope import may_see
from msnode.pages.access.visitor import Visitor
from msnode.pages.frame.problems import NotFound
from msnode.pages.frame.site import AnySite, Site

StudyKey = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Generation = Annotated[int, Path(ge=1, le=1_000_000)]
QUIET_S = 600.0
"""Images of one result that one account fetches slice by slice are one view for so long."""
MOST = 10_000


def only_with_patients(site: AnySite) -> None:
    """Refuse all of these pages where the site shows no patients.

    Raises:
        NotFound: so it is.
    """
    if not site.pages.patients:
        raise NotFound


WithPatients = Depends(only_with_patients)


def see(site: Site, visitor: Visitor, study_key: str, patient_id: str) -> None:
    """Let a visitor see a study, and put it on the trail.

    Args:
        site: of the node.
        visitor: who asks.
        study_key: of the study.
        patient_id: "" where it has none; then the trail names the study's key.

    Raises:
        NotFound: he came by a link that opens another one.
    """
    may_see(visitor, study_key)
    site.trail.patient_record(visitor.account, Access.READ, patient_id or study_key)


def change(site: Site, visitor: Visitor, study_key: str, patient_id: str) -> None:
    """As `see`, before something is changed."""
    may_see(visitor, study_key)
    site.trail.patient_record(visitor.account, Access.UPDATED, patient_id or study_key)


class Views:
    """Views of images that are on the trail already."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def is_new(self, account: str, study_key: str) -> bool:
        """Whether an account has not looked at a study for a while; now it has."""
        now, key = time.monotonic(), (account, study_key)
        with self._lock:
            last = self._seen.get(key, -QUIET_S)
            if now - last < QUIET_S:
                return False
            if len(self._seen) >= MOST:
                self._seen.clear()
            self._seen[key] = now
            return True

"""How shadow bundles compare with the one in force.

Clinicians see figures of all studies, and none of a single one: who has yet to read a study should
not know what another bundle says of it.
"""

import threading
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from msnode.errors import ConfigError
from msnode.manage.shadow_figures import OUTCOMES
from msnode.manage.shadow_report import Comparison, comparisons
from msnode.pages.access.visitor import Visitor, having
from msnode.pages.frame.problems import Forbidden
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site
from msnode.store.for_reading import for_reading
from msnode.store.shadow_evidence import Evidence, read_evidence

router = APIRouter()

Either = Annotated[Visitor, Depends(having("administrator", "viewer"))]
FRESH_S = 60.0
"""The figures are made no more often, however many look at them: intervals take a while."""
MOST = 50
"""Studies with another decision that are listed."""

_making = threading.Lock()


@router.get("/shadow")
def shadow(request: Request, site: AnySite, visitor: Either) -> Response:
    """Every comparison, the newest first.

    Raises:
        Forbidden: to who came by a link, which opens one study.
    """
    if visitor.study_key is not None:
        raise Forbidden
    evidence, problem = _evidence(site)
    return render(
        request, "admin/shadow.html",
        found=_comparisons(request, site)[::-1], outcomes=OUTCOMES, evidence=evidence,
        problem=problem, names=[one.name for one in site.config.classify.shadow], most=MOST,
    )  # fmt: skip


def _comparisons(request: Request, site: Site) -> list[Comparison]:
    """A minute old at most."""
    with _making:
        at, found = getattr(request.app.state, "shadows", (0.0, []))
        if time.monotonic() - at > FRESH_S or not at:
            found = comparisons(for_reading(site.database))
            request.app.state.shadows = time.monotonic(), found
    return list(found)


def _evidence(site: Site) -> tuple[Evidence | None, str]:
    """On which the bundle is in force, or why it cannot be read."""
    path = site.config.classify.evidence
    if path is None:
        return None, ""
    try:
        return read_evidence(path), ""
    except ConfigError as error:
        return None, str(error)

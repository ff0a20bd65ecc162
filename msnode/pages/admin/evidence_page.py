"""How right results were, by what is known of their truth: numbers alone, of nobody."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from msnode.drift import DriftState, look
from msnode.drift.reference import read_reference
from msnode.errors import ConfigError
from msnode.manage.evidence_cases import BY, By, cases_of
from msnode.manage.evidence_figures import SMALL, figures_of, grouped
from msnode.pages.access.visitor import Visitor, having
from msnode.pages.frame.problems import Forbidden
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site
from msnode.store.judgements import states

router = APIRouter()

Reader = Annotated[Visitor, Depends(having("administrator", "clinician"))]
FIGURES = ("sensitivity", "specificity", "ppv", "brier", "ece")


@router.get("/evidence")
def evidence(
    request: Request, site: AnySite, visitor: Reader, by: Annotated[By, Query()] = "all"
) -> Response:
    """The figures of all results, and of groups of them.

    Raises:
        Forbidden: to who came by a link for one study; and to clinicians where the site shows no
            patients, as then there is nothing here for them.
    """
    is_clinician = site.pages.patients and visitor.may("clinician")
    if visitor.study_key is not None or not (is_clinician or visitor.may("administrator")):
        raise Forbidden
    with site.reading.connect() as connection:
        cases = cases_of(connection)
        documents = states(connection)
    unclear = {why: n for (state, why), n in documents.items() if state == "unclear"}
    return render(
        request, "admin/evidence.html",
        whole=figures_of("all", cases), groups=grouped(cases, by) if by != "all" else [],
        by=by, ways=BY, names=FIGURES, small=SMALL, unclear=unclear,
        unverified=documents.get(("unverified", ""), 0), drift=_drift(site),
    )  # fmt: skip


def _drift(site: Site) -> DriftState:
    """What is known of drift; who looks here freezes nothing."""
    settings = site.config
    try:
        reference = read_reference(settings.classify.bundle)
    except ConfigError:  # the node's log says it
        reference = None
    return look(site.reading, settings.drift, reference, freezes=False)

"""A result: what it says, the images, the lesions, and what readers said of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from msnode.manage.study_result import StudyResult, result_of
from msnode.pages.access.scope import may_see
from msnode.pages.access.visitor import Viewer
from msnode.pages.clinic.image_stack import ImageStack, ImageStacks, Which
from msnode.pages.clinic.result_words import (
    earlier_line,
    feedback_line,
    lesion_rows,
    slice_label,
    told,
)
from msnode.pages.clinic.shown_patients import Generation, StudyKey, Views, WithPatients, see
from msnode.pages.frame.page_words import PageWords, language_of
from msnode.pages.frame.problems import NotFound
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site
from msnode.records.feedback import REASONS, standing
from msnode.store.visit_images import visit_folder

router = APIRouter(prefix="/results", dependencies=[WithPatients])
STACKS = ImageStacks()
VIEWS = Views()


@router.get("/{study_key}")
def result(
    request: Request,
    site: AnySite,
    visitor: Viewer,
    study_key: StudyKey,
    generation: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> Response:
    """The newest result of a study, or an earlier one."""
    may_see(visitor, study_key)
    found = found_result(site, study_key, generation)
    see(site, visitor, study_key, found.label.patient_id)
    return render(request, "clinic/result.html", **page_values(request, site, found))


@router.get("/{study_key}/newest")
def newest(site: AnySite, visitor: Viewer, study_key: StudyKey) -> Response:
    """Which generation the newest result is of: for a page that is open for long."""
    may_see(visitor, study_key)
    return JSONResponse({"generation": found_result(site, study_key).newest})


@router.get("/{study_key}/{generation}/stack")
def stack_of(
    request: Request, site: AnySite, visitor: Viewer, study_key: StudyKey, generation: Generation
) -> Response:
    """What a viewer has to know of the images of a result."""
    may_see(visitor, study_key)
    found = found_result(site, study_key, generation)
    stack = stack_or_none(site, found)
    if stack is None:
        raise NotFound
    if VIEWS.is_new(visitor.account, study_key):
        see(site, visitor, study_key, found.label.patient_id)
    words = PageWords(language_of(request, site.config.report.language))
    return JSONResponse(_description(found, stack, words))


@router.get("/{study_key}/{generation}/slices/{which}/{index}")
def slice_of(
    site: AnySite,
    visitor: Viewer,
    study_key: StudyKey,
    generation: Generation,
    which: Which,
    index: int,
) -> Response:
    """A slice, (rows, columns) uint16, little endian; no browser keeps it beyond its page."""
    may_see(visitor, study_key)
    stack = STACKS.of(visit_folder(site.config.data, study_key, generation))
    content = stack.slice(which, index) if stack is not None else None
    if stack is None or content is None:
        raise NotFound
    if VIEWS.is_new(visitor.account, study_key):
        see(site, visitor, study_key, found_result(site, study_key).label.patient_id)
    return Response(content, media_type="application/octet-stream")


def found_result(site: Site, study_key: str, generation: int | None = None) -> StudyResult:
    """A study's result.

    Raises:
        NotFound: there is no such study, or no such result.
    """
    reading = site.reading
    found = result_of(reading, site.config.data, study_key, generation)
    if found is None:
        raise NotFound
    return found


def stack_or_none(site: Site, found: StudyResult) -> ImageStack | None:
    """The images of a result; None where none are kept."""
    if found.visit is None:
        return None
    return STACKS.of(visit_folder(site.config.data, found.study_key, found.generation))


def page_values(request: Request, site: Site, found: StudyResult) -> dict[str, Any]:
    """What the result's templates show."""
    words = PageWords(language_of(request, site.config.report.language))
    stack = stack_or_none(site, found)
    said = found.said_now
    return {
        "found": found,
        "told": told(found.kept, words) if found.kept is not None else None,
        "rows": lesion_rows(found, stack),
        "stack": stack,
        "stands": [(one, feedback_line(one, words)) for one in standing(said)],
        "earlier": [
            earlier_line(one, words)
            for one in standing(found.said)
            if one.generation < found.generation
        ],
        "reasons": REASONS,
    }


def _description(found: StudyResult, stack: ImageStack, words: PageWords) -> dict[str, Any]:
    columns, rows, slices = stack.images.flair.shape
    return {
        "columns": columns,
        "rows": rows,
        "slices": slices,
        "spacing": stack.spacing_mm,
        "sides": stack.sides_shown,
        "flips": stack.flips,
        "windows": stack.windows,
        "box": stack.box,
        "scale": stack.record.scale,
        "priorScale": stack.record.prior_scale if stack.images.prior is not None else None,
        "labels": [slice_label(found.kept, words, index, slices) for index in range(slices)],
        "outlines": stack.outlines,
        "places": stack.places,
    }

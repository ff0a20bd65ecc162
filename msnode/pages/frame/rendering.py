"""Templates, and what every one of them gets."""

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from msnode import __version__
from msnode.pages.frame.header_values import iso_day, person_name
from msnode.pages.frame.page_words import PageWords, language_of
from msnode.pages.frame.site import site_of

HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    """Jinja, which escapes whatever comes from outside."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"version": __version__, "person_name": person_name, "iso_day": iso_day}
    return made


def fragment(request: Request, name: str, **values: Any) -> str:
    """A template filled.

    Every template gets: ``t`` (the words of the reader's language), ``site``, ``visitor`` (None
    where nobody is logged in), ``path`` of the request, ``version``, and what shows names and days
    of DICOM: ``person_name``, ``iso_day``.
    """
    site = site_of(request)
    words = PageWords(language_of(request, site.config.report.language))
    visitor = getattr(request.state, "visitor", None)
    common = {"t": words, "site": site, "visitor": visitor, "path": request.url.path}
    return environment().get_template(name).render(common | values)


def render(
    request: Request, name: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> HTMLResponse:
    """A page; see `fragment`. A name of a file that is no UTF-8 must not hide the rest."""
    shown = fragment(request, name, status=status, **values)
    return HTMLResponse(shown.encode("utf-8", "replace"), status)

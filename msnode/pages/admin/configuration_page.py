"""The configuration as it is in force, and whether it would work."""

import threading

from fastapi import APIRouter, Request, Response

from msnode import config as configuration
from msnode.errors import ConfigError, TryLater
from msnode.manage.checking import Checked, check
from msnode.manage.settings_rows import sections
from msnode.pages.access.visitor import Administrator
from msnode.pages.frame.rendering import render
from msnode.pages.frame.site import AnySite, Site

router = APIRouter()

_checking = threading.Lock()
"""A check loads the model: not two at a time."""


@router.get("/configuration")
def configuration_page(request: Request, site: AnySite, _: Administrator) -> Response:
    """Every setting, and what it would be by default."""
    return _page(request, site, None)


@router.post("/configuration/check", include_in_schema=False)  # it takes no parameter
def check_now(request: Request, site: AnySite, _: Administrator) -> Response:
    """Check the file as it is now, with everything that it names.

    Raises:
        TryLater: somebody does already.
    """
    if not _checking.acquire(blocking=False):
        raise TryLater("a check is under way already: wait for it")
    try:
        checked = check(site.config_file)
    finally:
        _checking.release()
    return _page(request, site, checked)


def _page(request: Request, site: Site, checked: Checked | None) -> Response:
    phrase, detail = _on_disk(site)
    return render(
        request, "admin/configuration.html",
        sections=sections(site.config), checked=checked, on_disk=phrase, detail=detail,
        file=site.config_file,
    )  # fmt: skip


def _on_disk(site: Site) -> tuple[str, str]:
    """How the file differs from what is in force: a phrase, and details."""
    try:
        now = configuration.load(site.config_file)
    except (ConfigError, OSError) as error:
        return "file_unusable", str(error)
    return ("file_same" if now == site.config else "file_differs"), ""

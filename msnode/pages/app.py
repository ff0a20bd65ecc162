"""The application: every route, and what holds for all of them."""

import asyncio

from fastapi import FastAPI

from msnode.pages.access import login, open_id_connect, signed_links
from msnode.pages.access.attempts import Attempts
from msnode.pages.admin.admin_routes import ADMIN
from msnode.pages.admin.admin_services import running
from msnode.pages.clinic.clinic_routes import CLINIC
from msnode.pages.frame import problems
from msnode.pages.frame.bodies import BoundedBodies
from msnode.pages.frame.headers import SafeHeaders
from msnode.pages.frame.site import Site
from msnode.pages.frame.static_files import Shipped
from msnode.pages.home import router as home

ROUTERS = (
    home,
    login.router,
    open_id_connect.router,
    signed_links.router,
    *ADMIN,
    *CLINIC,
)


def create_app(site: Site) -> FastAPI:
    """The pages of a node; without pages of its own about itself."""
    app = FastAPI(title="msnode", openapi_url=None, docs_url=None, redoc_url=None, lifespan=running)
    app.state.site = site
    app.state.ending = asyncio.Event()  # told to stop: what would go on for hours ends
    app.state.attempts = Attempts()
    app.state.check_slots = login.check_slots()
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", Shipped(), "static")
    problems.install(app)
    app.add_middleware(BoundedBodies)
    app.add_middleware(SafeHeaders, https=site.pages.is_https)
    return app

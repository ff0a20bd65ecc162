"""Every route of the administrator's pages."""

from msnode.pages.admin import (
    configuration_page,
    evidence_page,
    jobs_page,
    node_page,
    quarantine_page,
    shadow_page,
    studies_page,
    upload_page,
)

ADMIN = (
    node_page.router,
    studies_page.router,
    jobs_page.router,
    quarantine_page.router,
    configuration_page.router,
    evidence_page.router,
    upload_page.router,
    shadow_page.router,
)

"""Every route of the administrator's pages."""

from msnode.pages.admin import jobs_page, node_page, studies_page

ADMIN = (node_page.router, studies_page.router, jobs_page.router)

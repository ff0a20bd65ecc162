"""Every route of the administrator's pages."""

from msnode.pages.admin import node_page

ADMIN = (node_page.router,)

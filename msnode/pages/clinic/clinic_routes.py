"""Every route of the clinic's pages."""

from msnode.pages.clinic import feedback_page, patient_page, result_page, worklist_page

CLINIC = (worklist_page.router, result_page.router, feedback_page.router, patient_page.router)

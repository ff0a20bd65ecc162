"""Result objects: SR, Secondary Capture, key images, maps; validated before they leave."""

from msnode.config import Describe
from msnode.records.results import Report
from msnode.report import case, montage, pdf
from msnode.report.fhir_bundle import write_bundle
from msnode.report.oru_message import render_result
from msnode.report.profiles import PROFILES, write
from msnode.report.reader_sr import write_reader_sr
from msnode.report.report_file import FILE, KeptReport, read_report, slim, write_report
from msnode.report.sr_document import document_reference
from msnode.report.sr_reader import Summary, read
from msnode.report.study_header import Origin, origin, study_date
from msnode.report.webhook_body import write_signal

__all__ = [
    "FILE", "PROFILES", "KeptReport", "Origin", "Summary", "document_reference", "montage",
    "origin", "page", "read", "read_report", "render_result", "slim", "study_date", "write",
    "write_bundle", "write_reader_sr", "write_report", "write_signal",
]  # fmt: skip


def page(report: Report, describe: Describe) -> bytes:
    """The result as a PDF of one page, without a source image's header."""
    return pdf.page(case.headless(report, describe))

"""Result objects: SR, Secondary Capture, key images, maps; validated before they leave."""

from msnode.report import montage
from msnode.report.profiles import PROFILES, write
from msnode.report.sr_reader import Summary, read
from msnode.report.study_header import study_date
from msnode.report.webhook_body import write_signal

__all__ = ["PROFILES", "Summary", "montage", "read", "study_date", "write", "write_signal"]

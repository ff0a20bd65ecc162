"""Result objects: SR, Secondary Capture, key images, maps; validated before they leave."""

from msnode.report import montage
from msnode.report.header import study_date
from msnode.report.profiles import PROFILES, write
from msnode.report.signal import write_signal
from msnode.report.summary import read

__all__ = ["PROFILES", "montage", "read", "study_date", "write", "write_signal"]

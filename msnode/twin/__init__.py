"""The patient's longitudinal record: what was found in which study, and when."""

from msnode.twin.history import Entry, Twin

__all__ = ["Entry", "Twin"]

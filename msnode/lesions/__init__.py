"""Lesions of the white matter: outlined, counted, placed, compared with an earlier scan."""

from msnode.lesions.compare import Compared, Visit, compare
from msnode.lesions.find import find
from msnode.lesions.grade import grade
from msnode.lesions.lesion_bundle import SHIPPED, Bundle, load
from msnode.lesions.objects import Found

__all__ = [
    "SHIPPED", "Bundle", "Compared", "Found", "Visit", "compare", "find", "grade", "load",
]  # fmt: skip

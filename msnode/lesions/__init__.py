"""Lesions of the white matter: outlined, counted, placed, compared with an earlier scan."""

from msnode.lesions.changes import heirs
from msnode.lesions.compare import Compared, Visit, compare
from msnode.lesions.find import draw, find, measure
from msnode.lesions.grade import grade
from msnode.lesions.lesion_bundle import SHIPPED, Bundle, load
from msnode.lesions.objects import Found, Marks

__all__ = [
    "SHIPPED", "Bundle", "Compared", "Found", "Marks", "Visit", "compare", "draw", "find", "grade",
    "heirs", "load", "measure",
]  # fmt: skip

"""Lesions of the white matter: outlined, counted, placed."""

from msnode.lesions.find import find
from msnode.lesions.lesion_bundle import SHIPPED, Bundle, load
from msnode.lesions.objects import Found

__all__ = ["SHIPPED", "Bundle", "Found", "find", "load"]

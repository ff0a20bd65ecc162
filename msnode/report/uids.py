"""Deterministic UIDs: a retry stores the same object again, never a second one (PS3.5 B.2)."""

import re
import uuid

NAMESPACE = uuid.UUID("6f1d3f0a-5a0e-4d1e-9f0b-2c9b2f6f7a11")
"""Drawn once for this program; changing it changes every UID."""

_LEGAL = re.compile(r"[0-9]+(\.[0-9]+)*")


def uid(*parts: object) -> str:
    """A UID from what it stands for: ``2.25.`` and a version 5 UUID as a decimal number."""
    return f"2.25.{uuid.uuid5(NAMESPACE, '|'.join(map(str, parts))).int}"


def legal(value: str) -> bool:
    """PS3.5 9.1: at most 64 characters of digits and dots.

    Leading zeros, which it forbids, are let through: a copied UID must stay the source's.
    """
    return len(value) <= 64 and _LEGAL.fullmatch(value) is not None

"""What a peer's answers mean for a delivery, as tables: C-STORE."""

from typing import Literal

from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

Outcome = Literal["delivered", "refused", "retry"]

DELIVERED = (
    range(0x0002),  # Success; 1: Requested Optional Attributes Not Supported, a warning
    range(0x0107, 0x0108),  # Attribute List Error, a warning
    range(0x0111, 0x0112),  # Duplicate SOP Instance: an earlier answer got lost; the peer has it
    range(0x0116, 0x0117),  # Attribute Value Out of Range, a warning
    range(0xB000, 0xC000),  # Warnings: coerced, elements discarded, does not match its class
)
REFUSED = (
    range(0x0105, 0x0107),  # No Such Attribute, Invalid Attribute Value
    range(0x0115, 0x0116),  # Invalid Argument Value
    range(0x0117, 0x0120),  # Invalid Object Instance, No Such SOP Class, Class-Instance Conflict
    range(0x0120, 0x0123),  # Missing Attribute, Missing Attribute Value, SOP Class Not Supported
    range(0x0124, 0x0125),  # Not Authorised
    range(0x0211, 0x0213),  # Unrecognised Operation, Mistyped Argument
    range(0xA900, 0xAA00),  # Data Set Does Not Match SOP Class
    range(0xC000, 0xD000),  # Cannot Understand
)
# All others, 0xA7xx (Out of Resources) first of all, may be different next time.


def outcome(status: int) -> Outcome:
    """Whether the peer has the object, will never take it, or may take it later."""
    if any(status in codes for codes in DELIVERED):
        return "delivered"
    return "refused" if any(status in codes for codes in REFUSED) else "retry"


def describe(status: int) -> str:
    """A status in words, e.g. ``0xA700 Refused: Out of Resources``."""
    category, text = STORAGE_SERVICE_CLASS_STATUS.get(status, ("", "not in PS3.4 B.2.3"))
    return f"0x{status:04X} {text or category}"

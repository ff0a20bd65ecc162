"""A date as DICOM writes it (DA, PS3.5 6.2)."""

import re
from datetime import date


def day_of(text: str | None) -> date | None:
    """The day of a DA; None where a text is none, as in some studies."""
    if text is None or not re.fullmatch("[0-9]{8}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

"""Values of DICOM headers as people read them."""

import re

from msnode.records.dicom_date import day_of

UNREADABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which databases do not take; lines may be broken."""


def plain(text: str) -> str:
    """What somebody typed, without what no database takes."""
    return UNREADABLE.sub(" ", text).strip()


def typed_number(text: str) -> str:
    """A number as somebody typed it: a decimal comma is a point."""
    return re.sub(r"^(\s*\d+),(\d{1,2}\s*)$", r"\1.\2", text)


def typed_day(text: str) -> str:
    """A day as somebody typed it: 15.1.2025 is 2025-01-15; all else as it stands."""
    found = re.fullmatch(r"\s*([0-9]{1,2})\.\s*([0-9]{1,2})\.\s*([0-9]{4})\s*", text)
    return f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}" if found else text


def person_name(value: str) -> str:
    """A PN (PS3.5 6.2): FAMILY, Given Middle; the first component group that says something."""
    groups = (group.strip() for group in value.split("="))
    group = next((group for group in groups if group.strip("^ ")), "")
    family, _, rest = group.partition("^")
    given = " ".join(part.strip() for part in rest.split("^")[:2] if part.strip())
    return ", ".join(filter(None, (family.strip(), given)))


def iso_day(value: str | None) -> str:
    """A DA as ISO 8601; one that is no date as it stands."""
    day = day_of(value or "")
    return day.isoformat() if day is not None else (value or "")

"""Values of DICOM headers as people read them."""

import re

from msnode.records.dicom_date import day_of

UNREADABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which databases do not take; lines may be broken."""


def plain(text: str) -> str:
    """What somebody typed, without what no database takes."""
    return UNREADABLE.sub(" ", text).strip()


def person_name(value: str) -> str:
    """A PN (PS3.5 6.2): FAMILY, Given Middle; its first component group."""
    group = value.split("=")[0].strip()
    family, _, rest = group.partition("^")
    given = " ".join(part.strip() for part in rest.split("^")[:2] if part.strip())
    return ", ".join(filter(None, (family.strip(), given)))


def iso_day(value: str | None) -> str:
    """A DA as ISO 8601; one that is no date as it stands."""
    day = day_of(value or "")
    return day.isoformat() if day is not None else (value or "")

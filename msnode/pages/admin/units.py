"""Times and sizes as people read them."""

from msnode.pages.frame.page_words import PageWords

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def lasting(seconds: float | None, t: PageWords) -> str:
    """A time that something took, in units that all languages have; a dash where there is none."""
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{t.number(seconds, 0 if seconds >= 10 else 1)} s"
    if seconds < 100 * MINUTE:
        return f"{t.number(seconds / MINUTE)} min"
    return f"{t.number(seconds / HOUR)} h" if seconds < 2 * DAY else f"{t.number(seconds / DAY)} d"


def size(count: float, t: PageWords) -> str:
    """Bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{t.number(count, 0 if unit in ('B', 'kB') else 1)} {unit}"
        count /= 1000
    return f"{t.number(count)} TB"

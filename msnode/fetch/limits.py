"""When a source may be asked: its hours, and how many studies an hour. Pure arithmetic."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

HOUR_S = 3600.0


def until_open(window: tuple[time, time] | None, now: datetime) -> float:
    """Seconds until a source may be asked, 0 where it may be now.

    Args:
        window: from when until when, over midnight where the second is earlier; None: always.
        now: in local time, aware of its zone or not.
    """
    if window is None:
        return 0.0
    start, end = window
    at = now.time()
    is_open = start <= at < end if start < end else at >= start or at < end
    if is_open:
        return 0.0
    opens = datetime.combine(now.date(), start, now.tzinfo)
    if opens <= now:
        opens += timedelta(days=1)
    return (opens - now).total_seconds()


def until_allowed(asked: Sequence[float], per_hour: int, now: float) -> float:
    """Seconds until one study more may be asked for, 0 where it may be now.

    Args:
        asked: when studies were asked for, unix s, oldest first.
        per_hour: so many at most.
        now: unix s.
    """
    recent = [at for at in asked if now - HOUR_S < at <= now]
    if len(recent) < per_hour:
        return 0.0
    return recent[-per_hour] + HOUR_S - now

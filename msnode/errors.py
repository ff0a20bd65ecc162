"""One hierarchy of errors; a class's docstring says what the message means to its reader."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msnode.records.images import SeriesChoice
    from msnode.records.sentences import Text


class MsnodeError(Exception):
    """Something this program understands went wrong; the message says what to do."""


class ConfigError(MsnodeError):
    """The configuration cannot be used; every problem is listed, with the key and the fix."""


class Refused(MsnodeError):
    """The input can never be processed as it is; trying again changes nothing."""

    @property
    def reason(self) -> "Text":
        """The message; a `Sentence` where the reader may want it in another language."""
        message: Text = self.args[0] if self.args else ""
        return message


class NotAnalysable(Refused):
    """A study or file cannot be classified; the reason names the attribute and is reported.

    Attributes:
        series: why each series was chosen or rejected, as far as it was found out.
    """

    def __init__(self, reason: "Text", series: "tuple[SeriesChoice, ...]" = ()) -> None:
        super().__init__(reason)
        self.series = series


class Crashed(Refused):
    """Reading a file ended the process that did it: it crashed, or took too much memory or time."""


class InvalidResult(Refused):
    """A result object failed validation and was kept back instead of being sent."""


class TryLater(MsnodeError):
    """A peer, disk or device is not able to do this now; the work stays queued and is retried."""


class Stopped(MsnodeError):
    """The node was told to stop while it started."""


class Unforeseen(MsnodeError):
    """An error that nobody foresaw, in another process; its message stayed there.

    Attributes:
        kind: name of its class.
        where: file and line that raised it.
    """

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(f"{kind} at {where}")
        self.kind = kind
        self.where = where


def origin(error: BaseException) -> tuple[str, str]:
    """An error's class, and file and line that raised it: what may be logged of one not ours."""
    if isinstance(error, Unforeseen):
        return error.kind, error.where
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    return type(error).__name__, where

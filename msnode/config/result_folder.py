"""A folder of this host as destination."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from msnode.config.destination import ObjectDestination


@dataclass(frozen=True, slots=True)
class Folder(ObjectDestination):
    """A folder of this host."""

    WHAT: ClassVar = "a folder"

    folder: Path
    """Gets the result files; created if it is not there."""

    @property
    def place(self) -> object:
        """Without links and dots."""
        return self.folder.resolve()

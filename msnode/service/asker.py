"""A thread that asks others for one thing after the other, for as long as something is due."""

import logging
import threading
from abc import ABC, abstractmethod

from msnode.errors import origin

log = logging.getLogger(__name__)

POLL_S = 2.0
"""Between looks for something that is due."""


class Asker(threading.Thread, ABC):
    """Asks one source.

    Args:
        kind: of what it asks for, for the log.
        source: whom it asks, by its name in the configuration.
    """

    def __init__(self, kind: str, source: str) -> None:
        super().__init__(name=f"{kind} {source}", daemon=True)
        self._told = kind, source
        self._stopping = threading.Event()

    @abstractmethod
    def ask(self) -> bool:
        """Ask for what is due; returns whether there was anything."""

    def run(self) -> None:
        """Ask for one thing after the other."""
        while not self._stopping.wait(POLL_S):
            try:
                while not self._stopping.is_set() and self.ask():
                    pass
            except Exception as error:  # noqa: BLE001 - the next round must come
                log.error("%s source=%s error=%s at=%s", *self._told, *origin(error))

    def stop(self) -> None:
        """Begin no other search; what is under way is due again later."""
        self._stopping.set()
        if self.is_alive():
            self.join(POLL_S)

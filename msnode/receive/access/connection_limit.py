"""Limits how many connections or associations may be open at once, in total and per address."""

import collections
import threading


class ConnectionLimit:
    """Counts what is open.

    An address may open another one while it holds fewer than there are free places. So one address
    alone takes at most half of all, and however many flood us, some places stay free for the next.

    Args:
        places: for all addresses together.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._held: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def enter(self, address: str) -> bool:
        """Take a place; False if the address already has its share."""
        with self._lock:
            if self._held[address] >= self._free:
                return False
            self._held[address] += 1
            self._free -= 1
            return True

    def leave(self, address: str) -> None:
        """Give a place back."""
        with self._lock:
            self._free += 1
            self._held[address] -= 1
            self._held += collections.Counter()  # drops those with none

"""Bounds on answers that go on for hours."""

from collections import Counter
from collections.abc import AsyncIterator

from msnode.pages.frame.problems import TooMany

EVERY_S = 3.0
"""Between two looks at what is shown."""
LOOK_S = 10.0
"""Between two looks at whether the session lasts."""
AT_ONCE, OF_ONE = 32, 4
"""In all, and of one session: each window has one."""
AGAIN_S = 30
"""Who found no place may try again after so many seconds."""


class Streams:
    """Counts them; used by the event loop alone."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def take(self, session: str) -> "Place":
        """A place for one more.

        Args:
            session: whatever is the same for all windows of a session.

        Raises:
            TooMany: there is none.
        """
        if self._taken.total() >= AT_ONCE or self._taken[session] >= OF_ONE:
            raise TooMany(AGAIN_S)
        return Place(self._taken, session)


class Place:
    """One of them."""

    def __init__(self, taken: Counter[str], session: str) -> None:
        self._taken = taken
        self._session = session

    async def giving_back(self, events: AsyncIterator[str]) -> AsyncIterator[str]:
        """The events; whoever stops listening frees the place."""
        self._taken[self._session] += 1
        try:
            async for event in events:
                yield event
        finally:
            self._taken[self._session] -= 1
            if not self._taken[self._session]:
                del self._taken[self._session]

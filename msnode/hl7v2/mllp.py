"""Blocks of the Minimal Lower Layer Protocol: how messages are told apart on a connection.

HL7's MLLP, release 1: <VT> message <FS> <CR>. The library's reader (hl7.mllp) is asyncio's and
keeps whatever comes until the end; this one is fed by a thread and knows a limit.
"""

from msnode.errors import MsnodeError

START, END, CR = b"\x0b", b"\x1c", b"\r"
BETWEEN = b"\r\n \t\x00"
"""What some senders put between blocks."""


class NoBlock(MsnodeError):
    """What came is no block, or a larger one than is taken; the message says which."""


def block(message: bytes) -> bytes:
    """A message as it is sent."""
    return START + message + END + CR


class Blocks:
    """Cuts what comes into messages.

    A block with a start (0x0B) in it, or an end (0x1C) that is none, is broken: a part of it might
    read as a whole message. So nothing of it is taken, nor of what comes after it.

    Args:
        limit: bytes of a message.
        end: of a block; some peers leave its CR out of their answers.
    """

    def __init__(self, limit: int, end: bytes = END + CR) -> None:
        self._limit = limit
        self._end = end
        self._buffer = bytearray()
        self._seen = 1  # so far there is neither a start nor an end

    @property
    def is_open(self) -> bool:
        """Whether a part of a message has come."""
        return self._buffer.startswith(START)

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next message; None as long as it is not whole.

        Raises:
            NoBlock: it is none, or too large; nothing after it can be told apart.
        """
        if not self._buffer.startswith(START):
            del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(BETWEEN))]
            if not self._buffer:
                return None
            if not self._buffer.startswith(START):
                raise NoBlock("no start of a block (0x0B)")
        found = self._buffer.find(END, self._seen)
        stop = found if found >= 0 else len(self._buffer)
        if self._buffer.find(START, self._seen, stop) >= 0:
            raise NoBlock("a start of a block (0x0B) in a block")
        if stop - 1 > self._limit:
            raise NoBlock(f"a message of more than {self._limit} bytes")
        self._seen = stop
        return self._taken(stop) if found >= 0 else None

    def _taken(self, stop: int) -> bytes | None:
        """The message before an end, once all bytes of the end are there."""
        end = bytes(self._buffer[stop : stop + len(self._end)])
        if not self._end.startswith(end):
            raise NoBlock("0x1C without CR in a block")
        if end != self._end:
            return None
        message = bytes(self._buffer[1:stop])
        del self._buffer[: stop + len(end)]
        self._seen = 1
        return message

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

    A block that begins before the last one has ended is what its sender sends instead: of the half
    one nothing is taken, and nothing was answered.

    Args:
        limit: bytes of a message.

    Attributes:
        halves: messages of which only the beginning came.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._seen = 0  # so far there is no end and no start
        self.halves = 0

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
        end = self._buffer.find(END, self._seen)
        begun = self._buffer.rfind(START, 1, len(self._buffer) if end < 0 else end)
        if begun > 0:
            self.halves += 1
            del self._buffer[:begun]
            end -= begun if end >= 0 else 0
        if (end if end >= 0 else len(self._buffer)) - 1 > self._limit:
            raise NoBlock(f"a message of more than {self._limit} bytes")
        if end < 0:
            self._seen = max(len(self._buffer), 1)
            return None
        message = bytes(self._buffer[1:end])
        del self._buffer[: end + 1]
        self._seen = 0
        return message

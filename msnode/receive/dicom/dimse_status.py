"""The answers to C-STORE and N-EVENT-REPORT (PS3.4 B.2.3, PS3.7 C)."""

import errno

from msnode.errors import Refused

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_EVENT = 0x0113
INVALID_ARGUMENT = 0x0115
NO_SUCH_CLASS = 0x0118
CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORISED = 0x0124
UNRECOGNIZED_OPERATION = 0x0211
RESOURCE_LIMITATION = 0x0213
OUT_OF_RESOURCES = 0xA700
WRONG_CLASS = 0xA900
NOT_UNDERSTOOD = 0xC000
CONFLICT = 0xC002
SYNTAX_NOT_SUPPORTED = 0xC122
"""Of STOW-RS alone (PS3.18 I.2.2): by C-STORE it would have been negotiated."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StoreRefused(Refused):
    """An instance or report was not taken; status and comment go back to its sender.

    Attributes:
        status: DIMSE status.
        comment: the reason, for ErrorComment (0000,0902): LO, at most 64 characters.
        limit: the setting that it exceeded, as in ``metrics.REFUSALS``, "" if none.
    """

    def __init__(self, status: int, comment: str, limit: str = "") -> None:
        super().__init__(f"0x{status:04X} {comment}")
        self.status = status
        self.comment = comment[:64]
        self.limit = limit


def refusal(error: OSError) -> StoreRefused:
    """What a disk error means to the sender: 0xA700, as it is to send the image again later.

    0xCxxx (PS3.4 B.2.3) would say that there is something wrong with the image.
    """
    if error.errno in _FULL:
        return StoreRefused(OUT_OF_RESOURCES, "No room on the data disk")
    name = errno.errorcode.get(error.errno or 0, "error")
    return StoreRefused(OUT_OF_RESOURCES, f"Data disk: {name}")

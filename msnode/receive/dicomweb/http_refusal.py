"""Why a request is refused as a whole."""

from collections.abc import Sequence

from msnode.errors import Refused


class HttpRefused(Refused):
    """A request is not carried out; status and reason go back to the client.

    Attributes:
        status: of the answer (RFC 9110 15).
        rule: as in ``metrics.REFUSALS``, "" where it is no rule's.
        headers: that the status asks for.
    """

    def __init__(
        self, status: int, why: str, rule: str = "", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(why)
        self.status = status
        self.rule = rule
        self.headers = tuple(headers)

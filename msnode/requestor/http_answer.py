"""What an HTTP server answered (RFC 9110 15), and whether to ask again."""

from dataclasses import dataclass
from http import HTTPStatus

from msnode.errors import Refused, TryLater

PASSING = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
"""Client errors (RFC 9110 15.5, RFC 8470, RFC 6585) that another attempt may not meet."""

NO_ENTRY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
"""What a password or a right that somebody mends lets through another time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        media_type: of the body, lower case, without parameters.
    """

    status: int
    media_type: str
    body: bytes

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may get another answer."""
        return may_pass(self.status)

    @property
    def detail(self) -> str:
        """The status in our words."""
        return told(self.status)


def may_pass(status: int) -> bool:
    """Whether another attempt at what was answered so may get another answer."""
    return status in PASSING or status >= 500 or 300 <= status < 400


def told(status: int) -> str:
    """A status in our words: a server's own may name a patient."""
    known = {code.value: code.phrase for code in HTTPStatus}
    detail = f"HTTP {status} {known.get(status, '')}".rstrip()
    if 300 <= status < 400:
        detail += ": redirects are not followed; configure the address where it ends"
    return detail


def refused(name: str, answer: Answer) -> TryLater | Refused:
    """The error for an answer that is no success."""
    if answer.may_pass or answer.status in NO_ENTRY:
        return TryLater(f"{name} answers {answer.detail}")
    return Refused(f"{name} answers {answer.detail}")

"""A notice: what is new, what goes on, what is over, in words for an administrator."""

from collections.abc import Sequence
from dataclasses import dataclass

from msnode.notices.conditions import Problem


@dataclass(frozen=True, slots=True)
class Notice:
    """What a mail server or chat is told at once.

    Attributes:
        node: `config.Config.name`.
        new: what has begun or happened since the last notice.
        still: what was told long ago and still is.
        over: keys of what was told and is over.
    """

    node: str
    new: Sequence[Problem] = ()
    still: Sequence[Problem] = ()
    over: Sequence[str] = ()

    @property
    def subject(self) -> str:
        """One line: the worst, and how many more."""
        told = [*self.new, *self.still]
        if not told:
            return f"msnode {self.node}: all is well again" if self.over else f"msnode {self.node}"
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        return f"msnode {self.node}: {told[0].text}{more}"

    @property
    def lines(self) -> tuple[str, ...]:
        """A line a problem."""
        return (
            *(_line(one) for one in self.new),
            *(f"{_line(one)} (still)" for one in self.still),
            *(f"over: {key}" for key in self.over),
        )

    @property
    def text(self) -> str:
        """All of it, with where to look."""
        return "\n".join((*self.lines, "", HINT))


HINT = "What to do first stands in docs/metrics.md under each name; the log has the details."


def _line(problem: Problem) -> str:
    return f"{problem.severity}: {problem.text} [{problem.alert}]"


def trial(node: str) -> Notice:
    """A notice that nothing is wrong, to see whether it arrives."""
    text = "This is a test of msnode check --notices; nothing is wrong"
    return Notice(node, (Problem("Test", (), "warning", text, False),))

"""Tables as Markdown."""

from collections.abc import Iterable, Sequence


def row(cells: Iterable[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def header(names: Sequence[str]) -> list[str]:
    """The first two lines of a table."""
    return [row(names), "|---" * len(names) + "|"]

"""Scans given by hand, and what is said in a line of how two of them compare."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from msnode import prepare
from msnode.errors import MsnodeError
from msnode.records.lesions import CHANGES, Comparison


def studies(paths: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Files by study.

    Raises:
        MsnodeError: there is none.
    """
    found = prepare.group_studies(paths)
    if not found:
        names = ", ".join(path.name for path in paths)
        raise MsnodeError(
            f"{names}: no DICOM or NIfTI file found; give a folder or file that has one"
        )
    return found


def earlier(path: Path) -> tuple[Path, ...]:
    """The files of the one scan that ``--prior`` names.

    Raises:
        MsnodeError: there is none, or more than one.
    """
    found = studies([path])
    if len(found) > 1:
        raise MsnodeError(f"--prior: there are {len(found)} scans; give the folder or file of one")
    return next(iter(found.values()))


def since(told: Comparison) -> str:
    """What changed, in a line of rich's markup."""
    if told.status != "compared":
        return f"[yellow]not compared with the earlier scan: {escape(str(told.reason))}[/]"
    counts = ", ".join(f"{told.count(change)} {change}" for change in CHANGES if told.count(change))
    differing = "".join(f"\n[yellow]{escape(str(one))}[/]" for one in told.differences)
    return (
        f"since the earlier scan: {counts or 'no lesion in either'}; {told.ml_before:.1f} ml then, "
        f"{told.ml_now:.1f} ml now (error ±{told.ml_error:.1f} ml){differing}"
    )

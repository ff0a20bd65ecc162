"""Scans given by hand, and what is said in a line of how two of them compare."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.markup import escape

from msnode import prepare, report
from msnode.confined import Confined
from msnode.errors import MsnodeError
from msnode.records.lesions import CHANGES, Comparison
from msnode.records.sentences import Sentence
from msnode.report import Origin

log = logging.getLogger(__name__)


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


def resolved(files: Iterable[Path]) -> frozenset[Path]:
    """Files by the paths that they have whatever they are called here."""
    return frozenset(file.resolve() for file in files)


def is_itself(earlier: frozenset[Path], files: Sequence[Path]) -> bool:
    """Whether a scan is the earlier one, which would say nothing of change; then it is told.

    Args:
        earlier: see `resolved`.
        files: of the scan.
    """
    if earlier.isdisjoint(resolved(files)):
        return False
    log.warning("%s: is the earlier scan itself, and not compared", files[0].name)
    return True


def origin(file: Path, reader: Confined) -> Origin:
    """Whose and of when a scan is; nothing is known of a NIfTI file."""
    uids = prepare.group_studies([file])
    with suppress(MsnodeError):
        return reader.call(Origin, report.origin, file, next(iter(uids), ""))
    return Origin()


def of_patients(told: Comparison, then: Origin, now: Origin) -> Comparison:
    """A comparison that says if the headers name two patients.

    It is no refusal: whoever takes names out of headers may have given each visit another one, and
    scans of two heads are told apart by how they look.
    """
    if not (then.patient and now.patient) or then.patient == now.patient:
        return told
    return replace(told, differences=(Sentence("prior_other_patient"), *told.differences))


def since(told: Comparison) -> str:
    """What changed, in a line of rich's markup."""
    if told.status != "compared":
        return f"[yellow]not compared with the earlier scan: {escape(str(told.reason))}[/]"
    days = f" ({told.days} days before)" if told.days is not None and told.days >= 0 else ""
    counts = ", ".join(f"{told.count(change)} {change}" for change in CHANGES if told.count(change))
    differing = "".join(f"\n[yellow]{escape(str(one))}[/]" for one in told.differences)
    volumes = f"{told.ml_before:.1f} ml then, {told.ml_now:.1f} ml now"
    error = f" (error ±{told.ml_error:.1f} ml)"
    changed = f"{counts or 'no lesion in either'}; {volumes}{error}{differing}"
    return f"since the earlier scan{days}: {changed}"

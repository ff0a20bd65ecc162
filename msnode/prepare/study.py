"""A study's files to the slices of its best series."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pydicom

from msnode.errors import NotAnalysable
from msnode.prepare.attributes import text, value
from msnode.prepare.nifti import is_nifti
from msnode.prepare.series_choice import Candidate, clause, reason, survey
from msnode.prepare.slices import volume_slices
from msnode.records.images import InputContract, Prepared, SeriesChoice, Slices, SourceVolume
from msnode.records.sentences import Sentence

log = logging.getLogger(__name__)

Made = TypeVar("Made")

PACKED = (b"PK\3\4", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""How a zip, 7z and rar archive, and files compressed by gzip, bzip2 and xz begin."""


def prepare(paths: Sequence[Path], contract: InputContract) -> Prepared:
    """Choose the series that the contract wants most and turn it into slices.

    Of the wanted series an original goes before a derived one, without contrast agent before
    with, axial before other planes, then the one with most images, then the last acquired. A
    series that cannot be made into slices of a head gives way to the next.

    Args:
        paths: files of one study (DICOM Part 10, or a NIfTI file).
        contract: what the classifier wants to see.

    Raises:
        NotAnalysable: with the reason for each series in ``series``.
    """

    def made(candidate: Candidate) -> tuple[Slices, SourceVolume]:
        volume = candidate.load()
        slices = volume_slices(volume, contract)
        return replace(slices, acquisition=candidate.acquisition()), volume.on_own_grid

    (slices, volume), series, used = first_usable(paths, contract, made)
    return Prepared(slices, series, used, volume)


def first_usable(
    paths: Sequence[Path], contract: InputContract, make: Callable[[Candidate], Made]
) -> tuple[Made, tuple[SeriesChoice, ...], tuple[Path, ...]]:
    """What is made of the best series of which it can be made.

    Args:
        paths: files of one study.
        contract: which series are wanted.
        make: raises NotAnalysable where a series will not do.

    Returns:
        What was made, every series with why it was chosen or not, and the files of the chosen one.

    Raises:
        NotAnalysable: with the reason for each series in ``series``.
    """
    candidates = survey(paths, contract)
    tried: list[SeriesChoice] = []
    for position, candidate in enumerate(candidates):
        if candidate.rank is None:
            break
        try:
            found = make(candidate)
        except NotAnalysable as refusal:
            why = Sentence("tried", why=candidate.choice.why, refusal=refusal.reason)
            tried.append(replace(candidate.choice, why=why))
            continue
        chosen = replace(candidate.choice, chosen=True)
        others = _others(candidates[position + 1 :])
        return found, (*tried, chosen, *others), candidate.paths
    series = (*tried, *(c.choice for c in candidates[len(tried) :]))
    raise NotAnalysable(_refusal(tried, candidates, contract), series)


def explain(paths: Sequence[Path], contract: InputContract) -> tuple[SeriesChoice, ...]:
    """Why each series of a study is chosen or rejected, exactly as `prepare` does it."""
    try:
        return prepare(paths, contract).series
    except NotAnalysable as refusal:
        return refusal.series


def group_studies(paths: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    """Sort files into studies.

    Args:
        paths: files and folders; folders are searched all the way down.

    Returns:
        Files by StudyInstanceUID; a NIfTI file, and a DICOM file without that UID, each by its
        path. A DICOMDIR and files that are neither are left out; the log says how many.
    """
    studies: dict[str, list[Path]] = {}
    left_out = []
    for path in _files(paths):
        study = _study(path)
        if study is None:
            left_out.append(path)
        else:
            studies.setdefault(study, []).append(path)
    if left_out:
        log.info("%d files are neither DICOM images nor NIfTI and were left out", len(left_out))
    for path in filter(_is_archive, left_out):
        log.warning("%s: archives are not read; unpack it and give the folder", path)
    return {study: tuple(files) for study, files in studies.items()}


def _is_archive(path: Path) -> bool:
    """Whether a file is a zip, tar, 7z or rar archive, or compressed as a whole."""
    with path.open("rb") as file:
        head = file.read(262)
    return head.startswith(PACKED) or head[257:] == b"ustar"


def _others(candidates: Sequence[Candidate]) -> Iterator[SeriesChoice]:
    """The series that were not tried, because a better one was found."""
    for candidate in candidates:
        if candidate.rank is None:
            yield candidate.choice
        else:
            yield replace(candidate.choice, why=Sentence("better", why=candidate.choice.why))


def _refusal(
    tried: Sequence[SeriesChoice], candidates: Sequence[Candidate], contract: InputContract
) -> Sentence:
    """The reason for the radiologist: what was wrong with the wanted series, or that none is."""
    if not tried:
        return reason(candidates, contract)
    return Sentence("none_usable", series=[clause(choice) for choice in tried])


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as they are, folders expanded in a stable order."""
    for path in paths:
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _study(path: Path) -> str | None:
    """The study a file belongs to; None where it is neither an image nor NIfTI."""
    if is_nifti(path):
        return str(path)
    if path.name.upper() == "DICOMDIR":
        return None
    try:
        dataset = pydicom.dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True)
    except Exception as error:  # noqa: BLE001 - broken bytes make pydicom raise all kinds
        log.debug("a file was left out: %s", type(error).__name__)
        return None
    return text(value(dataset, "StudyInstanceUID")) or str(path)

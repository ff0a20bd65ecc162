"""Which of a study's series the classifier gets, and why; one sentence for each."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msnode.errors import NotAnalysable
from msnode.prepare.contrast import by_words, contrast, unsuitable
from msnode.prepare.frames import Frame, read_frames
from msnode.prepare.nifti import is_nifti, load_nifti
from msnode.prepare.pixels import read_pixels
from msnode.prepare.series_header import Header, read, read_acquisition, read_header
from msnode.prepare.stack import stack
from msnode.prepare.volume import Volume
from msnode.records.images import InputContract, SeriesChoice
from msnode.records.population import Acquisition
from msnode.records.sentences import Sentence, Text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series as the choice sees it.

    Attributes:
        choice: what is known of it; ``chosen`` is still False.
        paths: its files.
        rank: sorts the wanted ones, best first; None for a series that is not wanted.
    """

    choice: SeriesChoice
    paths: tuple[Path, ...]
    rank: tuple[float, ...] | None = None

    def load(self) -> Volume:
        """Build the volume.

        Raises:
            NotAnalysable: naming the attribute for which there is none.
        """
        return load_nifti(self.paths[0]) if is_nifti(self.paths[0]) else load_dicom(self.paths)

    def acquisition(self) -> Acquisition:
        """How it was acquired; NIfTI does not say."""
        return Acquisition() if is_nifti(self.paths[0]) else read_acquisition(self.paths[0])


def survey(paths: Iterable[Path], contract: InputContract) -> list[Candidate]:
    """Every series of a study, wanted ones first in the order in which they should be tried."""
    headers: dict[str, list[Header]] = {}
    candidates = []
    unreadable: list[Path] = []
    for path in paths:
        if is_nifti(path):
            candidates.append(_nifti_candidate(path, contract))
            continue
        try:
            header = read_header(path)
        except NotAnalysable:
            unreadable.append(path)
        else:
            headers.setdefault(header.uid, []).append(header)
    candidates += [_candidate(group, contract) for group in headers.values()]
    if unreadable:
        lost = SeriesChoice("", "", len(unreadable), False, Sentence("unreadable_files"))
        candidates.append(Candidate(lost, tuple(unreadable)))
    return sorted(candidates, key=lambda c: (c.rank is None, c.rank or ()))


def has_wanted(paths: Iterable[Path], contract: InputContract) -> bool:
    """Whether there is a series that the contract wants, by headers alone.

    One file for each series is enough, and all that should be given: each is opened.
    """
    return any(_wanted(path, contract) for path in paths)


def load_dicom(paths: Sequence[Path]) -> Volume:
    """Build a volume from the files of one series.

    Raises:
        NotAnalysable: naming the attribute for which there is none.
    """
    frames, repeated = _unique(read_frames(sorted(paths)))
    ordered = stack(frames)
    return Volume(
        voxels=read_pixels(ordered.frames),
        affine=ordered.affine,
        positions=ordered.positions,
        frames=tuple(frame.source for frame in ordered.frames),
        missing=ordered.missing,
        warnings=repeated + ordered.warnings,
    )


def _wanted(path: Path, contract: InputContract) -> bool:
    """Whether a file belongs to a series that the contract wants."""
    try:
        header = read_header(path)
    except NotAnalysable as refusal:
        log.debug("a file was passed over: %s", refusal)
        return False
    return unsuitable(header) is None and contrast(header).kind in contract.sequences


def _candidate(headers: Sequence[Header], contract: InputContract) -> Candidate:
    """Judge one DICOM series by the header of its first file."""
    first = headers[0]
    count = sum(header.frames for header in headers)
    paths = tuple(header.path for header in headers)
    choice = SeriesChoice(first.uid, first.description, len(headers), False, "")
    reason = Sentence("no_series_uid") if not first.uid else unsuitable(first)
    if reason is not None:
        return Candidate(replace(choice, why=reason), paths)
    kind, by = contrast(first)
    if kind not in contract.sequences:
        return Candidate(replace(choice, why=Sentence("kind", kind=_named(kind), by=by)), paths)
    rank = (
        contract.sequences.index(kind),
        "DERIVED" in first.image_type,
        first.agent,
        not first.axial,
        -count,
        -first.number,  # of repeats the last: it was repeated for a reason
    )
    why = Sentence(
        "wanted_agent" if first.agent else "wanted",
        kind=kind,
        by=by,
        origin=Sentence("derived" if "DERIVED" in first.image_type else "original"),
        plane=Sentence("axial" if first.axial else "not_axial"),
        count=count,
    )
    return Candidate(replace(choice, why=why), paths, rank)


def _named(kind: str) -> Text:
    """A kind of image as people write it."""
    return Sentence(kind) if kind == "other" else kind


def _nifti_candidate(path: Path, contract: InputContract) -> Candidate:
    """A NIfTI file has no sequence attributes: only its name can speak against it."""
    choice = SeriesChoice(str(path), "", 1, False, "")
    found = by_words(path.name.replace("_", " "))
    if found is not None and found.kind not in contract.sequences:
        return Candidate(replace(choice, why=_by_name(found.kind)), (path,))
    why = Sentence("as_given") if found is None else _by_name(found.kind)
    return Candidate(replace(choice, why=why), (path,), (0.0,))


def _by_name(kind: str) -> Sentence:
    return Sentence("by_file_name", kind=kind)


def _unique(frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], tuple[Text, ...]]:
    """Frames without repeated SOP Instances, and what to say where the copies differ."""
    kept: dict[tuple[str, int | None], Frame] = {}
    different = 0
    for frame in frames:
        first = kept.setdefault((frame.source.sop_instance_uid, frame.source.frame), frame)
        if first is not frame:
            different += read(first.path) != read(frame.path)
    if not different:
        return tuple(kept.values()), ()
    return tuple(kept.values()), (Sentence("repeated_uid", count=different),)


def reason(candidates: Sequence[Candidate], contract: InputContract) -> Sentence:
    """Why none of the series will do, in one sentence."""
    if not candidates:
        return Sentence("no_files")
    return Sentence(
        "none_wanted",
        wanted="/".join(contract.sequences),
        count=len(candidates),
        series=list(_clauses(candidates)),
    )


def _clauses(candidates: Sequence[Candidate], most: int = 8) -> Iterator[Sentence]:
    """A clause for each series, the first few."""
    yield from (clause(candidate.choice) for candidate in candidates[:most])
    if len(candidates) > most:
        yield Sentence("and_more", count=len(candidates) - most)


def clause(choice: SeriesChoice) -> Sentence:
    """A series by its description, and what was found out about it."""
    name = choice.description or Sentence("unnamed_series")
    return Sentence("named", name=name, why=choice.why)

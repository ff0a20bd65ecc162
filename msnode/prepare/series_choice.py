"""Which of a study's series the classifier gets, and why; one sentence for each."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from msnode.errors import NotAnalysable
from msnode.prepare.attributes import read
from msnode.prepare.contrast import by_words, contrast, unsuitable
from msnode.prepare.frames import Frame, read_frames
from msnode.prepare.kinds import ImageStack, divide, joined
from msnode.prepare.nifti import is_nifti, load_scan
from msnode.prepare.pixels import read_pixels
from msnode.prepare.series_header import Header, read_acquisition, read_headers
from msnode.prepare.stack import stack
from msnode.prepare.volume import Volume
from msnode.records.images import InputContract, SeriesChoice
from msnode.records.population import Acquisition
from msnode.records.sentences import Sentence, Text

log = logging.getLogger(__name__)

MOST_SHARED = 0.25
"""More images than this part with a UID that others have, and it is no accident of one copy."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series as the choice sees it.

    Attributes:
        choice: what is known of it; ``chosen`` is still False.
        paths: its files.
        rank: sorts the wanted ones, best first; None for a series that is not wanted.
        frames: numbers of its frames, of those files of which not all are.
        warnings: what the reader of a result from it should know.
    """

    choice: SeriesChoice
    paths: tuple[Path, ...]
    rank: tuple[float, ...] | None = None
    frames: Mapping[Path, frozenset[int]] = field(default_factory=dict)
    warnings: tuple[Text, ...] = ()

    def load(self) -> Volume:
        """Build the volume.

        Raises:
            NotAnalysable: naming the attribute for which there is none.
        """
        if is_nifti(self.paths[0]):
            return load_scan(self.paths[0])
        volume = load_dicom(self.paths, self.frames)
        return replace(volume, warnings=(*self.warnings, *volume.warnings))

    def acquisition(self) -> Acquisition:
        """How it was acquired; NIfTI does not say."""
        return Acquisition() if is_nifti(self.paths[0]) else read_acquisition(self.paths[0])


def survey(paths: Iterable[Path], contract: InputContract) -> list[Candidate]:
    """Every stack of a study, wanted ones first in the order in which they should be tried."""
    headers: list[Header] = []
    candidates = []
    unreadable: list[tuple[Path, Text]] = []
    for path in sorted(paths):
        if is_nifti(path):
            candidates.append(_nifti_candidate(path, contract))
            continue
        try:
            headers += read_headers(path)
        except NotAnalysable as refusal:
            unreadable.append((path, refusal.reason))
    candidates += _dicom_candidates(headers, contract)
    candidates += _unreadable(unreadable)
    return sorted(candidates, key=lambda c: (c.rank is None, c.rank or (), c.choice.uid))


def _dicom_candidates(headers: Sequence[Header], contract: InputContract) -> Iterator[Candidate]:
    """The stacks of every series, with what is to be said of them."""
    together, were_joined = joined(headers)
    series: dict[str, list[Header]] = {}
    for header in together:
        series.setdefault(header.uid, []).append(header)
    for uid, images in series.items():
        for one in divide(images):
            told = (Sentence("joined_series", count=one.count),) if uid in were_joined else ()
            yield _candidate(replace(one, warnings=(*told, *one.warnings)), contract)


def _unreadable(files: Sequence[tuple[Path, Text]]) -> Iterator[Candidate]:
    """Files that cannot be read, those with the same reason together."""
    reasons: dict[str, list[tuple[Path, Text]]] = {}
    for path, why in files:
        reasons.setdefault(str(why), []).append((path, why))
    for same in reasons.values():
        why = same[0][1]
        if isinstance(why, Sentence) and why.code == "unreadable":  # names an error's class
            why = Sentence("unreadable_files")
        lost = SeriesChoice("", "", len(same), False, why)
        yield Candidate(lost, tuple(path for path, _ in same))


def has_wanted(paths: Iterable[Path], contract: InputContract) -> bool:
    """Whether there is a series that the contract wants, by headers alone.

    One file for each series is enough, and all that should be given: each is opened.
    """
    return any(_wanted(path, contract) for path in paths)


def load_dicom(
    paths: Sequence[Path], wanted: Mapping[Path, frozenset[int]] | None = None
) -> Volume:
    """Build a volume from the files of one stack.

    Args:
        paths: the files.
        wanted: numbers of the frames that are meant, of those files of which not all are.

    Raises:
        NotAnalysable: naming the attribute for which there is none.
    """
    frames, repeated = _unique(read_frames(sorted(paths), wanted))
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
        headers = read_headers(path)
    except NotAnalysable as refusal:
        log.debug("a file was passed over: %s", refusal)
        return False
    suitable = (header for header in headers if unsuitable(header) is None)
    return any(contrast(header).kind in contract.sequences for header in suitable)


def _candidate(images: ImageStack, contract: InputContract) -> Candidate:
    """Judge one stack; its images agree in all that is looked at here."""
    first, count = images.headers[0], images.count
    paths = tuple(dict.fromkeys(header.path for header in images.headers))
    made = partial(Candidate, paths=paths, frames=_frames(images), warnings=images.warnings)
    choice = SeriesChoice(first.uid, first.description, count, False, "")
    reason = Sentence("no_series_uid") if not first.uid else unsuitable(first)
    if reason is not None:
        return made(replace(choice, why=reason))
    kind, by = contrast(first)
    if kind not in contract.sequences:
        return made(replace(choice, why=Sentence("kind", kind=_named(kind), by=by)))
    rank = (
        contract.sequences.index(kind),
        "DERIVED" in first.image_type,
        first.agent,
        "IR" not in first.sequence and first.inversion_ms is None,  # by its words alone
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
    return made(replace(choice, why=why), rank=rank)


def _frames(images: ImageStack) -> dict[Path, frozenset[int]]:
    """Numbers of the frames of a stack by file."""
    found: dict[Path, set[int]] = {}
    for header in images.headers:
        if header.frame is not None:
            found.setdefault(header.path, set()).add(header.frame)
    return {path: frozenset(numbers) for path, numbers in found.items()}


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
    """Frames without repeated SOP Instances, and what to say where the copies differ.

    Raises:
        NotAnalysable: images at different places share their UID, so that none could be named.
    """
    kept: dict[tuple[str, int | None], Frame] = {}
    different = 0
    for frame in frames:
        first = kept.setdefault((frame.source.sop_instance_uid, frame.source.frame), frame)
        if first is not frame:
            different += read(first.path) != read(frame.path)
    if different > MOST_SHARED * len(frames):
        raise NotAnalysable(Sentence("shared_instance_uid", count=different))
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

"""What a reader says of a result, and what of it still stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

FeedbackKind = Literal["agree", "reject", "add", "wrong_series", "not_ms", "note", "take_back"]
KINDS: tuple[FeedbackKind, ...] = get_args(FeedbackKind)
"""agree: with the whole result; reject: a lesion is none; add: a lesion was missed; wrong_series:
another series should have been read; not_ms: the lesions have another cause; note: free text;
take_back: an earlier one was said by mistake."""
RejectReason = Literal["artefact", "vessel", "normal_rim", "other"]
REASONS: tuple[RejectReason, ...] = get_args(RejectReason)
"""Why an outline is no lesion."""


@dataclass(frozen=True, slots=True)
class AddedPlace:
    """Where a lesion is that was missed.

    Attributes:
        column: of the frame of the series, centre-based; likewise ``row``.
        slice: index of the frame, from 0.
        diameter_mm: as the reader measured it.
        ras: mm, of the same point.
    """

    column: float
    row: float
    slice: int
    diameter_mm: float
    ras: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Feedback:
    """One thing that a reader said; never changed.

    Attributes:
        number: in the order in which they came; 0 before it is kept.
        study_key: of the study.
        generation: of the result that was read.
        kind: see `KINDS`.
        given_at: unix s.
        given_by: account.
        lesion: its number in that result; of a rejection.
        place: of a lesion that was missed.
        note: free text.
        reason: of a rejection.
        takes_back: number of an earlier one.
    """

    number: int
    study_key: str
    generation: int
    kind: FeedbackKind
    given_at: float
    given_by: str
    lesion: int | None = None
    place: AddedPlace | None = None
    note: str = ""
    reason: RejectReason | None = None
    takes_back: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reader has finished with a result.

    Attributes:
        stood: what stood then.
    """

    number: int
    study_key: str
    generation: int
    given_at: float
    given_by: str
    stood: tuple[Feedback, ...]


def standing(said: Iterable[Feedback]) -> list[Feedback]:
    """What has not been taken back, in the order in which it was said."""
    every = list(said)
    gone = {one.takes_back for one in every if one.kind == "take_back"}
    return [one for one in every if one.kind != "take_back" and one.number not in gone]


def rejected(said: Iterable[Feedback]) -> set[int]:
    """Numbers of the lesions that are held to be none."""
    stands = standing(said)
    return {one.lesion for one in stands if one.kind == "reject" and one.lesion is not None}

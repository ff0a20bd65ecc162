"""What a result's page says: the sentences of its objects, in the reader's language."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydicom.dataset import Dataset

from msnode.config import Describe
from msnode.manage.study_result import StudyResult
from msnode.pages.clinic.image_stack import ImageStack
from msnode.pages.frame.page_words import PageWords
from msnode.records.feedback import Feedback, rejected
from msnode.records.lesions import Lesion, LesionChange
from msnode.report import course_wording, lesion_wording, wording
from msnode.report.case import Case, Image
from msnode.report.lesion_groups import GROUPS, Group, group
from msnode.report.report_file import KeptReport
from msnode.report.study_header import Header

_RANK = {name: rank for rank, name in enumerate((*GROUPS, "gone"))}


@dataclass(frozen=True, slots=True)
class ToldResult:
    """The sentences of a result.

    Attributes:
        headline: the outcome in a word.
        doubts: what speaks against the result, or limits it: to be read first.
        sentences: the result, as its objects say it.
        slices: those that matter.
        course: earlier scans, and what the clinic knows.
        method: how it came about.
        notices: of the models.
        series: its SeriesDescription, or that it has none; "" where no series was used.
        limits: what no such result can tell.
    """

    headline: str
    doubts: tuple[str, ...]
    sentences: tuple[str, ...]
    slices: tuple[str, ...]
    course: tuple[str, ...]
    method: tuple[str, ...]
    notices: tuple[str, ...]
    series: str
    limits: str


@dataclass(frozen=True, slots=True)
class LesionRow:
    """A lesion as the table has it.

    Attributes:
        lesion: of this scan; None where it is gone.
        group: as it is drawn: new, enlarging, rest, lesion or gone.
        change: what became of it; "" where nothing was compared, or not this one.
        region: as in `records.lesions.Region`.
        laterality: as in `records.lesions.Laterality`.
        mm3_before: in the earlier scan; None where it is not known.
        slice: that shows it best, index; None where no images are kept.
        is_rejected: a reader holds it to be none.
    """

    lesion: Lesion | None
    group: Group | Literal["gone"]
    change: str
    region: str
    laterality: str
    mm3_before: float | None
    slice: int | None
    is_rejected: bool = False

    @property
    def number(self) -> int:
        """Of the lesion; 0 where it is gone."""
        return self.lesion.number if self.lesion is not None else 0


def told(kept: KeptReport, t: PageWords) -> ToldResult:
    """The sentences of a result that is kept."""
    case = case_of(kept, t)
    doubts = list(dict.fromkeys(_doubts(case)))
    rest = [one for one in wording.outcome(case) if one not in doubts]
    return ToldResult(
        headline=wording.headline(case),
        doubts=tuple(doubts),
        sentences=tuple(rest),
        slices=tuple(wording.slice_lines(case)),
        course=tuple(course_wording.lines(case)),
        method=tuple(wording.method(case)),
        notices=tuple(filter(None, [wording.notice(case)])),
        series=wording.named(case, choice) if (choice := wording.used(case)) is not None else "",
        limits=case.say("limits"),
    )


def case_of(kept: KeptReport, t: PageWords) -> Case:
    """A kept result as the wording takes it."""
    images = {uid: Image("", uid, "", number) for uid, number in kept.image_numbers.items()}
    return Case(kept.report, Describe(language=t.language), Header(Dataset()), images)


def _doubts(case: Case) -> Iterator[str]:
    """What must not be missed, the gravest first."""
    if case.report.finding is None:
        yield from wording.outcome(case)
    yield from (case.say("undecided", why=doubt) for doubt in wording.doubts(case))
    found = case.report.lesions
    if found is not None and case.report.finding is not None:
        if not case.has_outlines:
            yield from lesion_wording.sentences(case)
        else:
            yield from filter(None, [lesion_wording.doubtful(case)])
            yield from filter(None, [lesion_wording.disagreement(case)])
            yield from _of_comparison(case)
    yield from wording.warnings(case)


def _of_comparison(case: Case) -> Iterator[str]:
    """That there is none although there should be, or what limits it."""
    past = case.outlined.comparison
    if past.status == "compared":
        yield from lesion_wording.comparison(case)[1:]
    elif past.status == "not_compared":
        yield from lesion_wording.comparison(case)


def slice_label(kept: KeptReport | None, t: PageWords, index: int, count: int) -> str:
    """A slice by its place, and by the number under which viewers name the image."""
    place = t("slice_of", number=index + 1, count=count)
    slices = kept.report.slices if kept is not None else None
    if kept is None or slices is None or len(slices.frames) != count:
        return place
    frame = slices.frames[index]
    number = frame.frame or kept.image_numbers.get(frame.sop_instance_uid)
    return place if number is None else f"{place} · {t('image', number=number)}"


def lesion_rows(found: StudyResult, stack: ImageStack | None) -> list[LesionRow]:
    """The lesions, what matters first: new, enlarging, the others by size, then those gone."""
    none = rejected(found.said_now)
    changes = {one.number: one for one in found.comparison.changes if one.number}
    rows = [_row(found, one, changes.get(one.number), stack, none) for one in found.lesions]
    rows.sort(key=lambda row: (_RANK[row.group], row.number))
    gone = [one for one in found.comparison.changes if one.change == "gone"]
    return rows + [
        LesionRow(
            None, "gone", "gone", one.region, one.laterality, one.mm3_before,
            stack.index_of(one.centroid) if stack is not None else None,
        )
        for one in gone
    ]  # fmt: skip


def _row(
    found: StudyResult,
    one: Lesion,
    change: LesionChange | None,
    stack: ImageStack | None,
    none: set[int],
) -> LesionRow:
    place = stack.places.get(one.number) if stack is not None else None
    return LesionRow(
        lesion=one,
        group=group(found.comparison, one.number),
        change=change.change if change is not None else "",
        region=one.region,
        laterality=one.laterality,
        mm3_before=change.mm3_before if change is not None else None,
        slice=place[0] if place is not None else None,
        is_rejected=one.number in none,
    )


def feedback_line(one: Feedback, t: PageWords) -> str:
    """What a reader said, in a line."""
    parts = [t(f"clinic.said_{one.kind}", number=one.lesion or 0)]
    if one.reason is not None:
        parts.append(t(f"clinic.reason_{one.reason}"))
    if one.place is not None:
        place = t("clinic.at_slice", number=one.place.slice + 1)
        parts += [place, f"{t.number(one.place.diameter_mm)} mm"]
    if one.note:
        parts.append(f"“{one.note}”")
    return " · ".join(parts)


def earlier_line(one: Feedback, t: PageWords) -> str:
    """The same of an earlier result, whose lesions have other numbers."""
    which = t("clinic.result_number", number=one.generation)
    return f"{which}: {feedback_line(one, t)} · {one.given_by}"

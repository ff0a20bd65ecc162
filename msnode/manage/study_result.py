"""A study's result as pages show it, and what is not there any more."""

import logging
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from msnode.errors import origin
from msnode.manage.patient_label import Label, label_of
from msnode.records.feedback import Feedback, Verdict, standing
from msnode.records.lesions import Comparison, Lesion
from msnode.report.report_file import FILE, KeptReport, read_report
from msnode.store.database import StudyState, results, studies
from msnode.store.reader_feedback import of_study, verdicts_of
from msnode.store.visit_images import ARRAYS, VisitRecord, visit_folder, visit_record
from msnode.twin.history import Entry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What there is of a study.

    Attributes:
        study_key: of the study.
        patient_key: see `store.patients`.
        label: patient and study.
        in_work: whether images or a generation wait for a result.
        newest: generation of the newest result; 0 where there is none.
        entry: the result that is shown; None likewise.
        kept: the result without its arrays; None in results of older versions, and where it was
            deleted.
        visit: what is known of the images that are kept; None where none are.
        deleted: whether result files of the study were deleted because of their age.
        images_deleted: whether what is kept for comparison was.
        said: feedback on any result of the study, in order.
        verdicts: likewise.
    """

    study_key: str
    patient_key: str
    label: Label
    in_work: bool
    newest: int
    entry: Entry | None
    kept: KeptReport | None
    visit: VisitRecord | None
    deleted: bool
    images_deleted: bool
    said: tuple[Feedback, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def generation(self) -> int:
        """Of the result that is shown; 0 where there is none."""
        return self.entry.generation if self.entry is not None else 0

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """Those that were outlined, the largest first."""
        if self.kept is not None:
            found = self.kept.report.lesions
            return found.lesions if found is not None else ()
        return self.visit.lesions if self.visit is not None else ()

    @property
    def comparison(self) -> Comparison:
        """With an earlier scan, as far as it is kept."""
        if self.kept is not None and self.kept.report.lesions is not None:
            return self.kept.report.lesions.comparison
        return self.visit.comparison if self.visit is not None else Comparison("no_prior")

    @property
    def said_now(self) -> list[Feedback]:
        """Feedback on the result that is shown."""
        return [one for one in self.said if one.generation == self.generation]

    @property
    def verdicts_now(self) -> list[Verdict]:
        """Who finished reading the result that is shown."""
        return [one for one in self.verdicts if one.generation == self.generation]

    @property
    def said_since(self) -> bool:
        """Whether something was said or taken back since the reading of it was last finished."""
        now = [one.number for one in standing(self.said_now)]
        kept = self.verdicts_now
        return bool(kept) and now != [one.number for one in kept[-1].stood]


def result_of(
    database: sa.Engine, data: Path, study_key: str, generation: int | None = None
) -> StudyResult | None:
    """What there is of a study.

    Args:
        database: migrated.
        data: the node's data folder.
        study_key: of the study.
        generation: of the result; None for the newest.

    Returns:
        None where there is no such study, or no such result of it.
    """
    with database.connect() as connection:
        study = connection.execute(
            sa.select(studies).where(studies.c.study_key == study_key)
        ).one_or_none()
        if study is None:
            return None
        mine = sa.select(results).where(results.c.study_key == study_key)
        rows = connection.execute(mine.order_by(results.c.generation)).all()
        entries = {row.generation: Entry(**row._mapping) for row in rows}
        newest = max(entries, default=0)
        if generation is not None and generation not in entries:
            return None
        entry = entries.get(newest if generation is None else generation)
        folder = data / entry.folder if entry is not None else data / "work" / study_key
        label = label_of(connection, study_key, folder)
        said, verdicts = of_study(connection, study_key), verdicts_of(connection, [study_key])
    return StudyResult(
        study_key=study_key,
        patient_key=study.patient_key,
        label=label,
        in_work=study.state != StudyState.DONE or study.generation > newest > 0,
        newest=newest,
        entry=entry,
        kept=_kept(study_key, folder) if entry is not None else None,
        visit=_visit(data, study_key, entry.generation) if entry is not None else None,
        deleted=study.results_deleted_at is not None,
        images_deleted=study.visits_deleted_at is not None,
        said=tuple(said),
        verdicts=tuple(verdicts),
    )


def _kept(study_key: str, folder: Path) -> KeptReport | None:
    """A result; one that another version or a damaged disk left is shown as if it were gone."""
    try:
        return read_report(folder / FILE)
    except Exception as error:  # noqa: BLE001 - whatever it holds, the page shows what is left
        log.error("study=%s kept result unreadable error=%s at=%s", study_key, *origin(error))
        return None


def _visit(data: Path, study_key: str, generation: int) -> VisitRecord | None:
    """The visit of just this result: another one's images do not belong to its lesions."""
    folder = visit_folder(data, study_key, generation)
    return visit_record(folder) if (folder / ARRAYS).exists() else None

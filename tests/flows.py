"""Studies for tests of the flow: what its earlier steps would have left behind."""

from pathlib import Path

import sqlalchemy as sa

from msnode import classify, prepare
from msnode.records.images import Prepared, Study
from msnode.records.results import Report
from msnode.store.database import studies


def leave(made: Report, folder: Path) -> None:
    """What the steps before the report leave in the study's folder."""
    assert made.slices is not None
    assert made.scores is not None
    assert made.finding is not None
    folder.mkdir(parents=True)
    prepare.save(Prepared(made.slices, made.series, made.evidence), folder)
    prepare.save_series(made.series, folder)
    classify.save_scores(made.scores, made.finding, folder)


def register(database: sa.Engine, study: Study) -> None:
    """The study's row, to which results refer."""
    row = {
        "study_key": study.key,
        "study_instance_uid": study.study_instance_uid,
        "patient_key": "p",
        "generation": 1,
        "state": "queued",
        "first_at": 0.0,
        "last_at": 0.0,
    }
    with database.begin() as connection:
        connection.execute(studies.insert().values(row))

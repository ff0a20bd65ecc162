"""Which studies need not be fetched."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.flow import lesion_analysis
from msnode.flow.prior_visit import PriorVisits
from msnode.store.database import StudyState, open_database, studies
from msnode.store.schema import migrate

KEY = "a" * 16


def test_a_study_of_which_only_a_report_was_sent_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is a visit to compare with, or that there will be one."""
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    nothing: Any = None
    visits = PriorVisits(tmp_path, database, *(nothing,) * 5)
    assert not visits.is_here(KEY)
    row = {"study_key": KEY, "study_instance_uid": "1.9", "patient_key": "p" * 32,
           "generation": 1, "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    with database.begin() as connection:
        connection.execute(studies.insert(), row | {"state": StudyState.QUEUED})
    assert visits.is_here(KEY), "its visit is being made"
    with database.begin() as connection:
        connection.execute(sa.update(studies).values(state=StudyState.DONE))
    assert not visits.is_here(KEY)
    monkeypatch.setattr(lesion_analysis, "candidates", lambda *_: [object()])
    assert visits.is_here(KEY)
    database.dispose()

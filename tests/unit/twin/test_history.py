from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.store.database import open_database, studies
from msnode.store.merges import merge, undo
from msnode.store.schema import migrate
from msnode.twin import Entry, Twin

FIRST = Entry("a" * 16, 1, "present", 0.9, "present", None, "d" * 64, 100.0, "work/a/1")


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(engine)
    with engine.begin() as connection:
        for study_key, patient in (("a" * 16, "p1"), ("b" * 16, "p1"), ("c" * 16, "p2")):
            connection.execute(
                studies.insert().values(
                    study_key=study_key, study_instance_uid=study_key, patient_key=patient,
                    generation=1, state="done", first_at=1.0, last_at=2.0,
                )
            )  # fmt: skip
    return engine


def others(twin: Twin, study_key: str) -> list[str]:
    with twin.engine.connect() as connection:
        return twin.others(connection, study_key)


def test_a_repeated_step_replaces_its_own_entry(engine: sa.Engine) -> None:
    twin = Twin(engine)
    twin.record(FIRST)
    twin.record(replace(FIRST, probability=0.8))
    assert [entry.probability for entry in twin.history("p1")] == [0.8]


def test_the_predecessor_is_the_latest_earlier_generation(engine: sa.Engine) -> None:
    twin = Twin(engine)
    for generation in (1, 2):
        twin.record(replace(FIRST, generation=generation))
    found = twin.predecessor(FIRST.study_key, 3)
    assert found is not None
    assert found.generation == 2
    assert twin.predecessor(FIRST.study_key, 1) is None


def test_a_history_is_one_patients_own_in_order(engine: sa.Engine) -> None:
    twin = Twin(engine)
    twin.record(replace(FIRST, study_key="b" * 16, created_at=300.0))
    twin.record(replace(FIRST, created_at=200.0))
    twin.record(replace(FIRST, study_key="c" * 16))
    assert [entry.study_key[0] for entry in twin.history("p1")] == ["a", "b"]


def test_priors_are_the_latest_results_of_the_patients_earlier_studies(engine: sa.Engine) -> None:
    twin = Twin(engine)
    now, before, other = "a" * 16, "b" * 16, "c" * 16
    twin.record(replace(FIRST, study_key=before, study_date="20230101", probability=0.2))
    twin.record(replace(FIRST, study_key=before, generation=2, study_date="20230101"))
    twin.record(replace(FIRST, study_key=other, study_date="20220101"))
    twin.record(replace(FIRST, study_key=now, study_date="20240101"))
    assert [(one.study_key, one.probability) for one in twin.priors(now, "20240101")] == [
        (before, 0.9)
    ]
    assert twin.priors(now, "20221231") == [], "a later study is no prior"
    assert twin.priors(now, "20230101") == [], "of one day nobody knows which was first"
    assert twin.priors(now, "") == [], "without a date nothing is known to be earlier"
    assert twin.priors(other, "20240101") == []


def test_the_patients_other_studies_are_known_before_they_are_reported(engine: sa.Engine) -> None:
    twin = Twin(engine)
    assert others(twin, "a" * 16) == ["b" * 16]
    assert others(twin, "c" * 16) == []
    with engine.begin() as connection:
        connection.execute(studies.update().values(patient_key=""))
    assert others(twin, "a" * 16) == [], "studies without a patient are nobody's"


def test_studies_without_a_patient_or_a_date_are_nobodys_priors(engine: sa.Engine) -> None:
    twin = Twin(engine)
    twin.record(replace(FIRST, study_key="b" * 16))
    assert twin.priors("a" * 16, "20240101") == []
    twin.record(replace(FIRST, study_key="b" * 16, study_date="20230101"))
    with engine.begin() as connection:
        connection.execute(studies.update().values(patient_key=""))
    assert twin.priors("a" * 16, "20240101") == []


def test_studies_with_and_without_the_issuer_are_one_history(engine: sa.Engine) -> None:
    """As the receiver takes them for one patient's, unless the same ID has two issuers."""
    bare, hospital, clinic = "f" * 32, "f" * 32 + "1" * 16, "f" * 32 + "2" * 16
    keys = {"a" * 16: bare, "b" * 16: hospital}

    def renamed(key: str, patient: str) -> None:
        change = studies.update().where(studies.c.study_key == key).values(patient_key=patient)
        with engine.begin() as connection:
            connection.execute(change)

    twin = Twin(engine)
    for key, patient in keys.items():
        renamed(key, patient)
        twin.record(replace(FIRST, study_key=key))
    twin.record(replace(FIRST, study_key="c" * 16))
    assert {entry.study_key[0] for entry in twin.history(bare)} == {"a", "b"}
    assert {entry.study_key[0] for entry in twin.history(hospital)} == {"a", "b"}
    renamed("c" * 16, clinic)
    assert {entry.study_key[0] for entry in twin.history(hospital)} == {"b"}
    assert {entry.study_key[0] for entry in twin.history(bare)} == {"a"}


def test_a_study_of_a_merged_id_is_a_prior_until_that_is_undone(engine: sa.Engine) -> None:
    twin = Twin(engine)
    twin.record(replace(FIRST, study_key="c" * 16, study_date="20220101"))
    assert twin.priors("a" * 16, "20240101") == []
    with engine.begin() as connection:
        merge(connection, "p2", "p1", "somebody")
    assert [entry.study_key[0] for entry in twin.priors("a" * 16, "20240101")] == ["c"]
    assert others(twin, "c" * 16) == ["a" * 16, "b" * 16]
    with engine.begin() as connection:
        undo(connection, "p1", "p2", "somebody")
    assert twin.priors("a" * 16, "20240101") == []
    with engine.begin() as connection:
        merge(connection, "p2", "p1", "somebody")
    assert len(twin.priors("a" * 16, "20240101")) == 1

"""A scan is compared with an earlier one of the patient, never with a later one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from msnode.flow import lesion_analysis
from msnode.flow.outline_step import OutlineStep
from msnode.lesions.kept import Kept
from msnode.records.population import Acquisition
from msnode.store.database import open_database, studies
from msnode.store.prior_searches import Fate, PriorSearches, PriorStudy
from msnode.store.schema import migrate
from msnode.twin import Twin

KEY = "f" * 16


def known(key: str, date: str) -> Kept:
    return Kept(key, date, Acquisition(), 3.0, "d" * 64, np.eye(4), 1.0, (), None)


@pytest.mark.parametrize(
    ("dates", "chosen"),
    [
        (("20240114", "20230101"), "20240114"),
        (("20240115",), None),  # nobody knows which was the earlier one of a day
        (("20240116", "20991231"), None),
        (("20991231", "20230101"), "20230101"),
        (("",), None),
    ],
)
def test_whatever_was_fetched_a_later_scan_is_never_compared_with(
    dates: tuple[str, ...], chosen: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a source said that it is of another day than its images say."""
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    row = {"study_key": KEY, "study_instance_uid": "1.9", "patient_key": "p" * 32,
           "generation": 1, "state": "queued", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    with database.begin() as connection:
        connection.execute(studies.insert(), row)
    searches = PriorSearches(database)
    searches.begin(KEY, 1, {"pacs": 60.0})
    priors = [PriorStudy(f"1.{n}", "20200101", Fate.CHOSEN, "") for n in range(len(dates))]
    searches.found(KEY, "pacs", priors)
    for one in priors:
        searches.identify(one.study_instance_uid, "p" * 32)
        searches.came(KEY, "pacs", one.key, None)
    visits = {one.key: known(one.key, date) for one, date in zip(priors, dates, strict=True)}

    def candidates(_: Path, keys: list[str]) -> list[Kept]:
        assert set(keys) == visits.keys(), "what was fetched for the study is the patient's"
        return [visits[key] for key in keys]

    compared: list[str] = []

    def compare(now: Any, _load: object, before: Kept, *_: object) -> Any:
        compared.append(before.study_date)
        return now

    monkeypatch.setattr(lesion_analysis, "candidates", candidates)
    monkeypatch.setattr(lesion_analysis, "compared", compare)
    nothing: Any = SimpleNamespace()
    step = OutlineStep(tmp_path, nothing, Twin(database), nothing)
    step._compared(nothing, known(KEY, "20240115"), 1)
    assert compared == ([chosen] if chosen else [])
    database.dispose()


def test_a_fetched_study_that_was_sent_for_another_patient_is_nobodys_earlier_one(
    tmp_path: Path,
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    prior = PriorStudy("1.1", "20200101", Fate.CHOSEN, "")
    searches, twin = PriorSearches(database), Twin(database)

    def sent(key: str, uid: str, patient: str) -> None:
        row = {"study_key": key, "study_instance_uid": uid, "patient_key": patient * 32,
               "generation": 1, "state": "done", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
        with database.begin() as connection:
            connection.execute(studies.insert(), row)

    def others() -> list[str]:
        with database.connect() as connection:
            return twin.others(connection, KEY)

    sent(KEY, "1.9", "p")
    searches.begin(KEY, 1, {"pacs": 60.0})
    searches.found(KEY, "pacs", [prior])
    assert others() == [], "not before its visit is kept"
    searches.identify("1.1", "p" * 32)
    searches.came(KEY, "pacs", prior.key, None)
    assert others() == [prior.key]
    sent(prior.key, "1.1", "q")
    assert others() == []
    with database.begin() as connection:
        connection.execute(sa.update(studies).values(patient_key="p" * 32))
    assert others() == [prior.key]
    database.dispose()


def test_studies_of_one_id_and_two_issuers_are_nobodys_earlier_ones(tmp_path: Path) -> None:
    """As their own images have it, whatever the source answered."""
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    row = {"study_key": KEY, "study_instance_uid": "1.9", "patient_key": "f" * 32,
           "generation": 1, "state": "done", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    with database.begin() as connection:
        connection.execute(studies.insert(), row)
    searches, twin = PriorSearches(database), Twin(database)
    searches.begin(KEY, 1, {"pacs": 60.0})
    priors = [PriorStudy(f"1.{n}", "20200101", Fate.CHOSEN, "") for n in range(2)]
    searches.found(KEY, "pacs", priors)
    compared = []
    for one, issuer in zip(priors, ("1", "2"), strict=True):
        searches.identify(one.study_instance_uid, "f" * 32 + issuer * 16)
        searches.came(KEY, "pacs", one.key, None)
        with database.connect() as connection:
            compared.append(twin.others(connection, KEY))
    assert compared == [[priors[0].key], []]
    database.dispose()

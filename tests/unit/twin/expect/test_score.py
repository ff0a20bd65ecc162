"""Predictions: on record before, scored after, in words."""

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from msnode import metrics
from msnode.store.database import expectations, open_database, studies
from msnode.store.schema import migrate
from msnode.twin import Entry, Twin
from msnode.twin.clinical.course import Course
from msnode.twin.clinical.event_store import add
from msnode.twin.clinical.events import Event, Provenance, Recorded
from msnode.twin.expect import prediction_store
from msnode.twin.expect.forecast import forecast
from msnode.twin.expect.lesion_rate import Rate
from msnode.twin.expect.prediction import Prediction, prediction
from msnode.twin.expect.score import Scored, scored, summaries
from msnode.twin.expect.scored_value import Told
from msnode.twin.expectations import Expectations
from tests.unit.twin.expect.synthetic import PRIORS, patient

PATIENT = "p" * 32


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    engine = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(engine)
    return Twin(engine)


def register(twin: Twin, key: str, patient: str = PATIENT) -> None:
    row = {"study_key": key, "study_instance_uid": key, "patient_key": patient, "generation": 1,
           "state": "done", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    with twin.engine.begin() as connection:
        connection.execute(studies.insert().values(row))


def result(key: str, day: str, prior: str | None = None, new: int | None = None) -> Entry:
    return Entry(key, 1, "present", 0.9, "present", None, "d", 1.0, "f", day, lesion_count=3,
                 lesion_ml=9.0, lesion_digest="n", new_lesions=new, prior_date=prior)  # fmt: skip


def know(twin: Twin, *events: Event) -> None:
    with twin.engine.begin() as connection:
        origin = Provenance("csv", "x.csv", 2, 0.0, "somebody")
        add(connection, [Recorded(PATIENT, event, origin) for event in events])


def kept(twin: Twin) -> dict[str, Prediction]:
    with twin.engine.connect() as connection:
        return {one.study_key: one for one in prediction_store.of_patient(connection, PATIENT)}


def test_what_is_on_record_is_from_before_the_study_and_never_changes(twin: Twin) -> None:
    made = Expectations(twin, PRIORS)
    for key in "abc":
        register(twin, key * 16)
    twin.record(result("a" * 16, "20200101"))
    twin.record(result("c" * 16, "20230101", "20200101", 7))  # of a later day
    know(twin, Event("edss", date(2021, 1, 1), "4.0"), Event("edss", date(2022, 1, 1), "9.0"))
    assert made.record("b" * 16, date(2022, 1, 1), "n")
    first = kept(twin)
    told = first["b" * 16]
    assert (told.new_lesions.used, told.load.used, told.edss.used) == (0, 1, 1)
    assert told.priors == PRIORS.digest
    twin.record(result("b" * 16, "20220101", "20200101", 3))
    know(twin, Event("edss", date(2020, 6, 1), "1.0"))
    assert not made.record("b" * 16, date(2022, 1, 1), "other")
    assert kept(twin) == first
    [new, load, edss] = made.scored(PATIENT)
    assert (new.quantity, new.value) == ("new lesions", 3)
    assert (load.quantity, load.value) == ("load", 9.0)
    assert (edss.quantity, edss.value) == ("EDSS", 9.0)
    assert edss.covered == 0.0
    assert new.last is None
    assert load.last is not None


def test_of_nobody_nothing_is_told(twin: Twin) -> None:
    register(twin, "a" * 16, "")
    assert not Expectations(twin, PRIORS).record("a" * 16, date(2020, 1, 1), "n")


def test_a_load_by_another_network_is_not_scored(twin: Twin) -> None:
    register(twin, "a" * 16)
    made = Expectations(twin, PRIORS)
    made.record("a" * 16, date(2020, 1, 1), "newer")
    twin.record(result("a" * 16, "20200101"))
    assert made.scored(PATIENT) == []


def test_each_edss_is_of_one_study_within_a_year() -> None:
    days = [date(2020, 1, 1), date(2020, 3, 1), date(2024, 1, 1)]
    none = Course((), (), ())
    made = [
        prediction(forecast(none, PRIORS, day), f"{n}", float(n), "", "n")
        for n, day in enumerate(days)
    ]
    scores = {date(2020, 2, 29): "2.0", date(2020, 3, 1): "3.0", date(2020, 4, 1): "4.0",
              date(2021, 4, 1): "5.0"}  # fmt: skip
    events = tuple(Event("edss", day, score) for day, score in scores.items())
    found = list(scored(made, Course(events, (), ())))
    assert [(one.study_key, one.value) for one in found] == [("0", 2.0), ("1", 3.0)]


def of(twin: float, population: float, last: float | None) -> Scored:
    return Scored("load", "s", 0.0, 1.0, 1.0, twin, population, last)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], "nothing to score yet"),
        ([of(-1, -2, None)], "better than the population mean so far (n = 1)"),
        ([of(-1, -2, -3)] * 2, "better than the population mean and the last value so far (n = 2)"),
        ([of(-1, -1, -3)], "no better than the population mean so far (n = 1)"),
        ([of(-3, -2, -2)], "no better than the population mean and the last value so far (n = 1)"),
        ([of(-9, -10, None), of(-2, -3, -1)], "no better than the last value so far (n = 2)"),
    ],
)
def test_a_twin_that_is_no_better_than_naive_says_so(found: list[Scored], verdict: str) -> None:
    [_, load, _] = summaries(found)
    assert load.verdict == verdict


def test_whole_numbers_count_by_the_part_that_80_percent_need() -> None:
    assert Told(-1, 0.0, 0.05).covered == 0
    assert Told(-1, 0.0, 0.2).covered == pytest.approx(0.5)
    assert Told(-1, 0.2, 0.5).covered == 1
    assert Told(-1, 0.0, 1.0).covered == pytest.approx(0.8)
    assert Told(-1, 0.95, 0.95).covered == 0
    assert Told(-math.inf, 1.0, 1.0).log_score == -20
    rate = Rate(0.5, 0.25)
    told = [rate.judged(number, 1.0) for number in range(2000)]
    shares = [math.exp(one.log_density) for one in told]
    assert sum(shares) == pytest.approx(1)
    assert sum(s * t.covered for s, t in zip(shares, told, strict=True)) == pytest.approx(0.8)


def test_over_all_patients_the_coverage_is_right_and_measured(twin: Twin) -> None:
    """The whole way of synthetic patients: told, recorded, scored, counted."""
    dice, made = np.random.default_rng(3), Expectations(twin, PRIORS)
    for number in range(60):
        one, name = patient(dice, 4), f"{number:032x}"
        for scan in one.course.imaging:
            assert scan.day is not None
            key = f"{number:08x}{int(scan.study_key, 16):08x}"
            register(twin, key, name)
            made.record(key, scan.day, "n")
            prior = f"{scan.prior:%Y%m%d}" if scan.prior else None
            entry = result(key, f"{scan.day:%Y%m%d}", prior, scan.new)
            twin.record(replace(entry, lesion_ml=scan.lesion_ml))
    found = {one.quantity: one for one in summaries(made.scored_everywhere())}
    assert found["load"].number == 240
    assert found["new lesions"].number == 180
    assert found["EDSS"].number == 0
    for name in ("load", "new lesions"):
        coverage = found[name].coverage
        assert coverage is not None
        assert 0.72 <= coverage <= 0.88
    made.measure()
    assert metrics.TWINS._value.get() == 60
    assert metrics.EXPECTATIONS_SCORED.labels("load")._value.get() == 240
    assert metrics.EXPECTATION_COVERAGE.labels("load")._value.get() == found["load"].coverage
    newest = list(made.scored_everywhere(8))
    with twin.engine.connect() as connection:
        query = sa.select(expectations.c.made_at).order_by(expectations.c.made_at.desc()).limit(8)
        since = min(connection.scalars(query))
    assert {one.made_at >= since for one in newest} == {True}
    assert len({one.study_key for one in newest}) == 8

"""What is believed of a patient: priors, intervals, changes, another network, any order."""

import random
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from msnode.errors import ConfigError
from msnode.twin.clinical.course import Course, Imaging, course
from msnode.twin.clinical.events import Event
from msnode.twin.expect import edss_scale, lesion_rate
from msnode.twin.expect.forecast import changes_of_treatment, forecast
from msnode.twin.expect.outlook import outlook, what_if
from msnode.twin.expect.priors import SHIPPED, load_priors
from msnode.twin.expect.scored_value import Interval
from msnode.twin.rules.activity import Compared

PRIORS = load_priors()
ON = date(2026, 1, 1)


def day(years: float) -> date:
    return date(2016, 1, 1) + timedelta(days=round(365.25 * years))


def scan(
    years: float, since: float | None = None, new: int | None = None, **more: object
) -> Imaging:
    prior = day(since) if since is not None else None
    told = {"lesion_ml": 10.0 + years, "network": "n"} | more
    return Imaging(f"s{years}", day(years), prior, 3, new=new, **told)  # type: ignore[arg-type]


def of(*imaging: Imaging, events: tuple[Event, ...] = ()) -> Course:
    return course(events, imaging, ON)[0]


def begun(years: float, name: str = "x") -> Event:
    return Event("treatment_begun", day(years), name)


def test_without_a_record_there_is_the_prior_alone_and_it_says_so() -> None:
    told = outlook(forecast(of(), PRIORS, ON))
    for one in (told.new_lesions, told.load, told.edss):
        assert one.is_prior
        assert one.expected == one.prior
        assert one.a_year == one.prior_a_year
        assert one.used == ()


def test_each_study_narrows_the_intervals_and_a_change_opens_them_again() -> None:
    scans = [scan(n, n - 1, 2) if n else scan(0) for n in range(6)]
    widths = []
    for number in range(1, 7):
        told = forecast(of(*scans[:number]), PRIORS, ON)
        rate = told.new_lesions.twin
        widths.append((rate.shape**-0.5, told.load.twin.slope_variance))
    assert widths == sorted(widths, reverse=True)
    told = forecast(of(*scans, events=(begun(5.5),)), PRIORS, ON)
    assert told.new_lesions.twin.shape**-0.5 > widths[-1][0]
    assert told.load.twin.slope_variance > widths[-1][1]
    prior, before = lesion_rate.prior(PRIORS), forecast(of(*scans), PRIORS, ON).new_lesions.twin
    assert told.new_lesions.twin.shape == pytest.approx((before.shape + prior.shape) / 2)
    assert told.new_lesions.twin.years == pytest.approx((before.years + prior.years) / 2)


def test_a_change_within_an_interval_counts_by_days() -> None:
    prior = lesion_rate.prior(PRIORS)
    told = forecast(of(scan(0), scan(4, 0, 8), events=(begun(1),)), PRIORS, ON).new_lesions.twin
    assert told.shape - prior.shape == pytest.approx(8 * (0.25 * 0.5 + 0.75), rel=1e-3)
    assert told.years - prior.years == pytest.approx(4 * (0.25 * 0.5 + 0.75), rel=1e-3)


def test_a_switch_is_one_change() -> None:
    stop = Event("treatment_stopped", day(1), "x")
    events = (begun(0), stop, begun(1.2, "y"), begun(3, "z"))
    assert changes_of_treatment(of(events=events)) == (day(0), day(1), day(3))


def test_of_overlapping_intervals_those_are_used_that_cover_most() -> None:
    whole = of(scan(0), scan(1, 0, 1), scan(3, 0, 2), scan(4, 3, 0))
    told = forecast(whole, PRIORS, ON).new_lesions
    assert told.used == ("s3", "s4")
    assert told.left_out == 1
    assert told.since == pytest.approx(4, abs=0.01)
    fine = forecast(of(scan(0), scan(1, 0, 1), scan(2, 1, 1), scan(2, 0, 2)), PRIORS, ON)
    assert fine.new_lesions.used == ("s1", "s2"), "the finer of two ways to cover the same days"


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(0, 9)), max_size=7))
def test_used_intervals_never_overlap(spans: list[tuple[int, int, int]]) -> None:
    made = [
        Compared(f"{n}", ON + timedelta(begin), ON + timedelta(begin + length), new, 0)
        for n, (begin, length, new) in enumerate(spans)
    ]
    used = lesion_rate.disjoint(made)
    assert all(a.day <= b.prior for a, b in pairwise(used))
    assert bool(used) == bool(made)


def test_loads_of_another_network_are_left_out() -> None:
    told = forecast(of(scan(0, network="old"), scan(1, lesion_ml=30.0)), PRIORS, ON).load
    assert (told.used, told.left_out) == (("s1",), 1)
    wanted = forecast(of(scan(0, network="old"), scan(1)), PRIORS, ON, network="new").load
    assert (wanted.used, wanted.left_out) == ((), 2)


def test_contradicting_scores_are_not_learned_from() -> None:
    events = Event("edss", day(1), "2.0"), Event("edss", day(1), "4.0")
    told = outlook(forecast(of(events=events), PRIORS, ON)).edss
    assert told.is_prior
    assert "two values of edss" in told.missing


@given(st.randoms())
def test_the_order_of_arrival_makes_no_difference(dice: random.Random) -> None:
    scans = [scan(0), scan(1, 0, 2), replace(scan(1, 0, 2), study_key="b", lesion_ml=3.0),
             scan(3, 1, 0), scan(4, 1, 5)]  # fmt: skip
    events = [begun(1), begun(2.5, "y"), Event("edss", day(0), "2.0"), Event("edss", day(1), "3.0")]
    expected = forecast(of(*scans, events=tuple(events)), PRIORS, ON)
    shuffled = dice.sample(scans, len(scans)) + dice.choices(scans, k=2)
    told = of(*shuffled, events=tuple(dice.sample(events, len(events))))
    assert forecast(told, PRIORS, ON) == expected


def test_the_scale_of_the_edss_is_kept() -> None:
    high = forecast(of(events=(Event("edss", day(9), "10.0"),)), PRIORS, ON)
    told = outlook(high).edss.expected
    assert told.high == 10.0
    assert {told.low, told.middle, told.high} <= set(edss_scale.STEPS)
    low = outlook(forecast(of(events=(Event("edss", day(9), "0.0"),)), PRIORS, ON))
    assert low.edss.expected.low == 0.0
    assert edss_scale.up_to(high.edss.twin.measured(ON), len(edss_scale.STEPS) - 1) == 1.0


def test_courses_differ_by_activity_and_are_labelled() -> None:
    told = forecast(of(scan(0), scan(2, 0, 8), scan(4, 2, 8)), PRIORS, ON)
    days = [ON, ON + timedelta(365), ON + timedelta(1826)]
    on, off, much = (what_if(told, days, rate) for rate in (None, 0.0, 20.0))
    assert (on.label, off.label, much.label) == (
        "if activity goes on as it is believed to be", "if activity stopped",
        "if there were 20 new lesions a year",
    )  # fmt: skip
    assert [one.high for one in off.new_lesions.intervals] == [0, 0, 0]
    assert [one.high for one in on.new_lesions.intervals] == sorted(
        one.high for one in on.new_lesions.intervals
    )
    assert much.new_lesions.intervals[1] == Interval(14, 20, 26), "of a Poisson distribution"
    assert (
        off.load.intervals[-1].middle
        < on.load.intervals[-1].middle
        < much.load.intervals[-1].middle
    )
    assert on.edss == off.edss == much.edss
    assert on.load.intervals[0].low >= 0


def test_negative_binomial_by_hand() -> None:
    rate = lesion_rate.Rate(1.0, 1.0)  # of a year: 1/2, 1/4, 1/8 … (geometric)
    assert [rate.up_to(n, 1.0) for n in (-1, 0, 1, 2)] == pytest.approx([0, 0.5, 0.75, 0.875])
    assert rate.judged(1, 1.0).log_density == pytest.approx(-1.3862943611)
    assert rate.expected(1.0).high == 3
    assert rate.expected(1.0).low == 0


def test_a_site_has_its_own_priors_and_each_mistake_is_told(tmp_path: Path) -> None:
    raw = yaml.safe_load(SHIPPED.read_text())
    own = tmp_path / "own.yaml"
    raw["new_lesions"]["mean"]["value"] = 4.0
    own.write_text(yaml.safe_dump(raw))
    assert lesion_rate.prior(load_priors(own)).mean == pytest.approx(4.0)
    assert load_priors(own).digest != load_priors().digest
    raw["new_lesions"]["shape"]["value"] = -1.0
    raw["load"]["error_part"]["value"] = 2
    del raw["edss"]["mean"]["source"]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigError, match=r"edss\.mean\.source: missing"):
        load_priors(wrong)
    raw["edss"]["mean"]["source"] = "us"
    (tmp_path / "range.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigError) as error:
        load_priors(tmp_path / "range.yaml")
    assert "new_lesions.shape.value: -1.0 is out of range" in str(error.value)
    assert "load.error_part.value: 2.0 is out of range" in str(error.value)


def test_every_number_of_the_population_has_its_source() -> None:
    def leaves(told: dict[str, object]) -> list[dict[str, object]]:
        if "value" in told:
            return [told]
        return [leaf for one in told.values() if isinstance(one, dict) for leaf in leaves(one)]

    assert all(str(leaf["source"]).strip() for leaf in leaves(yaml.safe_load(SHIPPED.read_text())))

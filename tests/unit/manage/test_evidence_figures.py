"""How right results were: by hand, with intervals that hold, and counts where there are few."""

import json
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from msnode.cli.main import main
from msnode.manage.evidence_cases import EvidenceCase, age_group, cases_of
from msnode.manage.evidence_figures import figures_of, grouped, wilson
from msnode.records.feedback import Feedback
from msnode.store import reader_feedback
from tests.evidence import NOON, One, judge, keep, key, node_in


def case(
    number: int, outcome: str, truth: str, probability: float, person: str = ""
) -> EvidenceCase:
    return EvidenceCase(
        key(number), person or key(number), outcome, probability, NOON, "m", truth, 1,  # type: ignore[arg-type]
        "", "", "", None,
    )  # fmt: skip


def by_hand() -> list[EvidenceCase]:
    """18 of 20 with the disease called, 24 of 30 without not; 50 more of which nobody told."""
    called = ["present"] * 18 + ["absent"] * 2 + ["present"] * 6 + ["absent"] * 24
    truths = ["present"] * 20 + ["absent"] * 30
    known = [case(n, o, t, 0.75 if o == "present" else 0.25)
             for n, (o, t) in enumerate(zip(called, truths, strict=True))]  # fmt: skip
    return [*known, *(case(100 + n, "absent", "open", 0.25) for n in range(50))]


def test_figures_are_those_of_the_hand() -> None:
    group = figures_of("all", by_hand())
    assert (group.known, group.results, group.patients) == (50, 100, 100)
    assert (group.positive, group.positive_known) == (24, 24)
    assert (group.negative, group.negative_known) == (76, 26)
    figures = group.figures
    assert (figures["sensitivity"].right, figures["sensitivity"].of) == (18, 20)
    assert figures["sensitivity"].value == pytest.approx(0.9)
    # Wilson, 18 of 20: 0.699 to 0.972 (Newcombe 1998)
    assert figures["sensitivity"].low == pytest.approx(0.699, abs=0.012)
    assert figures["sensitivity"].high == pytest.approx(0.972, abs=0.005)
    assert figures["specificity"].value == pytest.approx(0.8)
    assert figures["ppv"].value == pytest.approx(0.75)
    assert figures["brier"].value == pytest.approx((42 * 0.0625 + 8 * 0.5625) / 50)
    # of 24 with 0.75 three quarters have it; of 26 with 0.25 two have
    assert figures["ece"].value == pytest.approx((26 * 0.25 - 2) / 50)
    # of 76 negatives 2/26 have it, as far as the 26 stand for all
    missed = 76 * 2 / 26
    assert figures["sensitivity_adjusted"].value == pytest.approx(18 / (18 + missed))
    assert figures["specificity_adjusted"].value == pytest.approx((76 - missed) / (82 - missed))
    for figure in figures.values():
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high


def test_bins_hold_all_that_is_known() -> None:
    group = figures_of("all", by_hand())
    assert {one.low: one.studies for one in group.bins if one.studies} == {0.2: 26, 0.7: 24}
    assert group.bins[7].share.value == pytest.approx(0.75)


def test_few_are_told_by_their_counts() -> None:
    few = [case(n, "present", "present", 0.9) for n in range(9)]
    group = figures_of("all", few)
    assert group.figures["sensitivity"].value is None
    assert (group.figures["sensitivity"].right, group.figures["sensitivity"].of) == (9, 9)
    assert all(one.value is None for one in group.figures.values())
    of_one = [case(n, "present", "present", 0.9, "one") for n in range(40)]
    assert figures_of("all", of_one).figures["brier"].value is None, "forty studies of one patient"
    assert figures_of("none", []).figures["ece"].of == 0


def test_perfect_results_have_an_interval_all_the_same() -> None:
    right = [case(n, "present", "present", 0.9) for n in range(12)]
    figure = figures_of("all", right).figures["sensitivity"]
    assert figure.value == 1.0
    assert figure.low == pytest.approx(0.757, abs=0.01)


def test_intervals_hold_with_several_studies_of_a_patient() -> None:
    """A patient's studies are alike: of 95 % intervals some 95 % must hold the truth."""
    rng, held, naive = np.random.default_rng(5), 0, 0
    for _ in range(400):
        chance = rng.beta(4, 1, size=60)  # of each patient; 0.8 on the whole
        of = rng.integers(1, 8, size=60).astype(float)
        right = rng.binomial(of.astype(int), chance).astype(float)
        _, low, high = wilson(right, of)
        held += low <= 0.8 <= high
        every = np.repeat([1.0, 0.0], [int(right.sum()), int((of - right).sum())])
        _, low, high = wilson(every, np.ones(len(every)))
        naive += low <= 0.8 <= high
    assert 0.92 <= held / 400 <= 0.98
    assert naive / 400 < 0.92, "as if they were strangers, it would be too sure"


@pytest.mark.parametrize(
    ("age", "group"),
    [(None, ""), (29.9, "below 30"), (30, "30-39"), (69.9, "60-69"), (91, "70 and over")],
)
def test_ages_fall_into_decades(age: float | None, group: str) -> None:
    assert age_group(age) == group


@pytest.fixture
def node(tmp_path: Path) -> tuple[sa.Engine, Path]:
    """Forty results of two scanners; of the first all are known, of the second four."""
    engine, file = node_in(tmp_path)
    keep(engine, tmp_path, (
        One(key(n), "present" if n % 2 else "absent", 0.9 if n % 2 else 0.1,
            scanner="SIEMENS Skyra 3.0 T MR1" if n < 24 else "PHILIPS Ingenia 1.5 T",
            age=25.0 if n < 24 else None)
        for n in range(40)
    ))  # fmt: skip
    for n in range(28):
        judge(engine, key(n), "agree" if n > 1 else "not_ms")
    return engine, file


def run(file: Path, *options: str) -> str:
    done = CliRunner().invoke(main, ["feedback", "report", "--config", str(file), *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_groups_are_told_apart_and_what_the_page_said_counts(node: tuple[sa.Engine, Path]) -> None:
    engine, _ = node
    with engine.begin() as connection:
        said = Feedback(0, key(39), 1, "not_ms", NOON, "eva")
        reader_feedback.add(connection, said)
        reader_feedback.finish(connection, key(39), 1, "eva")
    with engine.connect() as connection:
        cases = cases_of(connection)
        assert len(cases_of(connection, NOON + 1)) == 0
    groups = {one.name: one for one in grouped(cases, "scanner")}
    assert groups["SIEMENS Skyra 3.0 T MR1"].known == 24
    assert groups["PHILIPS Ingenia 1.5 T"].known == 5
    assert groups["PHILIPS Ingenia 1.5 T"].figures["sensitivity"].value is None
    assert {one.name for one in grouped(cases, "age")} == {"below 30", "unknown"}
    assert {one.name for one in grouped(cases, "month")} == {"2026-03"}
    assert {one.name for one in grouped(cases, "model")} == {"hybrid 1.0 dddddddd"}


def test_taking_back_and_finishing_again_replaces_the_readers_word(
    node: tuple[sa.Engine, Path],
) -> None:
    engine, _ = node
    with engine.begin() as connection:
        number = reader_feedback.add(connection, Feedback(0, key(35), 1, "agree", NOON, "eva"))
        reader_feedback.finish(connection, key(35), 1, "eva")
    with engine.connect() as connection:
        assert next(c for c in cases_of(connection) if c.study_key == key(35)).truth == "present"
    with engine.begin() as connection:
        back = Feedback(0, key(35), 1, "take_back", NOON, "eva", takes_back=number)
        reader_feedback.add(connection, back)
        reader_feedback.finish(connection, key(35), 1, "eva")
    with engine.connect() as connection:
        assert next(c for c in cases_of(connection) if c.study_key == key(35)).truth == "open"


def test_the_report_says_how_much_is_known_before_it_says_how_good(
    node: tuple[sa.Engine, Path], tmp_path: Path
) -> None:
    _, file = node
    text = run(file, "--by", "scanner")
    assert "40 results of 40 patients; the truth of 28 of them is known (28 of 40, 70 %)" in text
    assert "Positives are read and confirmed more often than negatives" in text
    assert "PHILIPS" in text
    assert "fewer than 10 patients" in text
    told = json.loads(run(file, "--by", "sex", "--json"))
    assert told["all"]["known"] == 28
    assert [one["name"] for one in told["groups"]] == ["F"]
    run(file, "--by", "age", "--csv", str(tmp_path / "out.csv"))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("group,results,patients,known")
    assert len(lines) == 4


def test_a_node_without_feedback_says_so(tmp_path: Path) -> None:
    engine, file = node_in(tmp_path)
    assert "No figure can be given before readers judge results" in run(file)
    engine.dispose()

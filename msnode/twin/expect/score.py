"""How right predictions were, beside the naive ones; computed anew each time, never kept."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from msnode.records.sentences import Sentence, Text
from msnode.twin.clinical.course import Course, Imaging, Measure
from msnode.twin.expect import edss_scale
from msnode.twin.expect.forecast import Belief
from msnode.twin.expect.line import Line
from msnode.twin.expect.prediction import Prediction, Three
from msnode.twin.expect.scored_value import TINY, Told
from msnode.twin.rules.activity import YEAR_DAYS

QUANTITIES = (Sentence("quantity_new"), Sentence("quantity_load"), Sentence("quantity_edss"))
A_YEAR = timedelta(days=365)
"""An EDSS so long after a study, at most, is what was expected there."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A prediction of one quantity, and what came.

    Attributes:
        quantity: one of `QUANTITIES`.
        study_key: of the study.
        made_at: unix time in seconds.
        value: that came: lesions, ml or points.
        covered: whether it lay in the 80 % interval; see `Told.covered`.
        twin: log score of the model; more is better.
        population: of the population's mean.
        last: of the last value; None where there was none.
    """

    quantity: str
    study_key: str
    made_at: float
    value: float
    covered: float
    twin: float
    population: float
    last: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How right the predictions of a quantity were.

    Attributes:
        quantity: one of `QUANTITIES`.
        number: of predictions that were scored.
        coverage: part of the values within the 80 % interval; None where nothing was scored.
        twin: mean log score of the model; None likewise.
        population: of the population's mean; None likewise.
        number_last: of predictions with a last value.
        twin_there: mean log score of the model in these alone; None where there are none.
        last: of the last value; None likewise.
        verdict: in words.
    """

    quantity: Text
    number: int
    coverage: float | None
    twin: float | None
    population: float | None
    number_last: int
    twin_there: float | None
    last: float | None
    verdict: Sentence


@dataclass(slots=True)
class Tally:
    """Sums over scored predictions of one quantity, so that no list of all is needed."""

    number: int = 0
    covered: float = 0.0
    twin: float = 0.0
    population: float = 0.0
    number_last: int = 0
    twin_there: float = 0.0
    last: float = 0.0

    def add(self, one: Scored) -> None:
        """Count a prediction."""
        self.number += 1
        self.covered += one.covered
        self.twin += one.twin
        self.population += one.population
        if one.last is not None:
            self.number_last += 1
            self.twin_there += one.twin
            self.last += one.last

    def summary(self, quantity: Text) -> Summary:
        """The means, and what they say."""
        if not self.number:
            nothing = Sentence("score_nothing")
            return Summary(quantity, 0, None, None, None, 0, None, None, nothing)
        here, there = self.number, self.number_last
        return Summary(
            quantity=quantity,
            number=here,
            coverage=self.covered / here,
            twin=self.twin / here,
            population=self.population / here,
            number_last=there,
            twin_there=self.twin_there / there if there else None,
            last=self.last / there if there else None,
            verdict=self._verdict(),
        )

    def _verdict(self) -> Sentence:
        """Whether the model is worth more than what is naive."""
        beside = [(Sentence("score_mean"), self.twin > self.population)]
        if self.number_last:
            beside.append((Sentence("score_last"), self.twin_there > self.last))
        worse = [name for name, is_better in beside if not is_better]
        code = "score_no_better" if worse else "score_better"
        return Sentence(code, what=_both(worse or [name for name, _ in beside]), count=self.number)


def summaries(found: Iterable[Scored]) -> tuple[Summary, ...]:
    """How right the predictions of each quantity were."""
    tallies: dict[str, Tally] = {quantity: Tally() for quantity in QUANTITIES}
    for one in found:
        tallies[one.quantity].add(one)
    return tuple(tallies[quantity].summary(quantity) for quantity in QUANTITIES)


def _both(names: Sequence[Sentence]) -> Sentence:
    """One name, or two."""
    return names[0] if len(names) == 1 else Sentence("both", first=names[0], second=names[1])


def scored(predictions: Sequence[Prediction], course: Course) -> Iterator[Scored]:
    """What became of a patient's predictions.

    Args:
        predictions: oldest study first.
        course: all that is known by now.
    """
    scans = {scan.study_key: scan for scan in course.imaging}
    scores = {} if course.contradicted("edss") else _edss_of(predictions, course.edss())
    for made in predictions:
        if made.study_key in scans:
            yield from _of_scan(made, scans[made.study_key])
        if made.study_key in scores:
            score = scores[made.study_key]
            edss = partial(_edss, score=score)
            yield _scored("EDSS", made, score.value, _each(made.edss, edss))


def _of_scan(made: Prediction, scan: Imaging) -> Iterator[Scored]:
    """What the scan itself says of a prediction."""
    if scan.new is not None and scan.day and scan.prior and scan.prior < scan.day:
        new, years = scan.new, (scan.day - scan.prior).days / YEAR_DAYS
        told = _each(made.new_lesions, lambda belief: belief.judged(new, years))
        yield _scored("new lesions", made, new, told)
    if scan.lesion_ml is not None and scan.network == made.network:
        loads = _each(made.load, partial(_load, ml=scan.lesion_ml))
        yield _scored("load", made, scan.lesion_ml, loads)


def _edss_of(predictions: Sequence[Prediction], scores: Iterable[Measure]) -> dict[str, Measure]:
    """The first EDSS within a year of each study, and before the next one with a prediction."""
    days = [made.day for made in predictions]
    found: dict[str, Measure] = {}
    for score in scores:
        number = bisect_right(days, score.day) - 1
        if number >= 0 and score.day - days[number] <= A_YEAR:
            found.setdefault(predictions[number].study_key, score)
    return found


def _load(belief: Line, ml: float) -> Told:
    normal = belief.measured(belief.day)
    below = normal.cdf(ml)
    return Told(math.log(max(normal.pdf(ml), TINY)), below, below)


def _edss(belief: Line, score: Measure) -> Told:
    return edss_scale.judged(belief.measured(score.day), score.value)


def _each(three: Three[Belief], judged: Callable[[Belief], Told]) -> tuple[Told, Told, Told | None]:
    last = judged(three.last) if three.last is not None else None
    return judged(three.twin), judged(three.population), last


def _scored(
    quantity: str, made: Prediction, value: float, told: tuple[Told, Told, Told | None]
) -> Scored:
    twin, population, last = told
    return Scored(
        quantity=quantity,
        study_key=made.study_key,
        made_at=made.made_at,
        value=value,
        covered=twin.covered,
        twin=twin.log_score,
        population=population.log_score,
        last=last.log_score if last is not None else None,
    )

"""What was expected of a study, as it is kept: the beliefs, from which any interval follows."""

from dataclasses import dataclass
from datetime import date
from typing import Generic

from msnode.twin.expect.forecast import Belief, Beliefs, Forecast
from msnode.twin.expect.lesion_rate import Rate
from msnode.twin.expect.line import Line


@dataclass(frozen=True, slots=True)
class Three(Generic[Belief]):
    """The model's belief, and the naive ones beside it; see `forecast.Beliefs`.

    Attributes:
        used: number of intervals, scans or scores that the model's rests on.
    """

    twin: Belief
    population: Belief
    last: Belief | None
    used: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """Made before a study was compared; never changed.

    Attributes:
        study_key: of the study.
        day: of the study. What was used is of earlier days.
        made_at: unix time in seconds.
        priors: `Priors.digest`.
        network: digest of the network whose load is told of.
        new_lesions: their rate; their number follows when it is known how long ago the scan is that
            it is compared with.
        load: ml.
        edss: points.
    """

    study_key: str
    day: date
    made_at: float
    priors: str
    network: str
    new_lesions: Three[Rate]
    load: Three[Line]
    edss: Three[Line]


def prediction(
    told: Forecast, study_key: str, made_at: float, priors: str, network: str
) -> Prediction:
    """A forecast as it is kept; see `Prediction`."""
    return Prediction(
        study_key=study_key,
        day=told.on,
        made_at=made_at,
        priors=priors,
        network=network,
        new_lesions=_three(told.new_lesions),
        load=_three(told.load),
        edss=_three(told.edss),
    )


def _three(beliefs: Beliefs[Belief]) -> Three[Belief]:
    return Three(beliefs.twin, beliefs.population, beliefs.last, len(beliefs.used))

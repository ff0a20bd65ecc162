"""A found lesion's probability is the share of such ones that a person drew as well."""

import numpy as np

from msnode.learn.evaluate import lesion_calibration
from msnode.learn.evaluate.overlap import Examined, Rated
from msnode.lesions.lesion_bundle import Rating


def person(seed: int, lesions: int = 200) -> Examined:
    """Of lesions that are rated p, the network is too sure: only a part of p is true."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.6, 0.98, lesions)
    true = rng.random(lesions) < Rating(0.7, -1.0)(means)
    scan = tuple(
        Rated(mean, 9, 5 * is_true, (1,) * is_true)
        for mean, is_true in zip(means.tolist(), true.tolist(), strict=True)
    )
    return examined(f"p{seed}", scan)


def examined(name: str, scan: tuple[Rated, ...]) -> Examined:
    return Examined(name, 1.0, 1, 9, scan, None, (), None, 0.1)


def test_it_finds_what_the_probabilities_were_worth() -> None:
    persons = [person(seed) for seed in range(8)]
    means = np.array([0.65, 0.8, 0.95])
    found = lesion_calibration.rating(persons)(means)
    assert np.allclose(found, Rating(0.7, -1.0)(means), atol=0.06)
    figures = lesion_calibration.figures(persons, lesion_calibration.by_others(persons))
    assert figures["ece"].value < 0.06 < 0.2 < figures["ece_raw"].value


def test_lesions_of_one_kind_stay_as_they_are_rated() -> None:
    all_true = examined("p", (Rated(0.8, 9, 5, (1,)), Rated(0.9, 9, 5, (2,))))
    assert lesion_calibration.rating([all_true]) == Rating()

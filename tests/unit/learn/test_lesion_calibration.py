"""A found lesion's probability is the share of such ones that a person drew as well."""

import numpy as np

from msnode.learn.evaluate import lesion_calibration
from msnode.learn.evaluate.overlap import Agreement, rated
from msnode.lesions.lesion_bundle import Rating


def person(seed: int, lesions: int = 200) -> Agreement:
    """Of lesions that are rated p, the network is too sure: only a part of p is true."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.6, 0.98, lesions)
    true = rng.random(lesions) < Rating(0.7, -1.0)(means)
    pairs = tuple(zip(means.tolist(), true.tolist(), strict=True))
    return Agreement(f"p{seed}", 0.7, 0.7, 0.7, 3, 1.0, 1.0, rated=pairs)


def test_it_finds_what_the_probabilities_were_worth() -> None:
    rows = [person(seed) for seed in range(8)]
    means = np.array([0.65, 0.8, 0.95])
    assert np.allclose(lesion_calibration.rating(rows)(means), Rating(0.7, -1.0)(means), atol=0.06)
    figures = lesion_calibration.figures(rows)
    assert figures["ece"].value < 0.06 < 0.2 < figures["ece_raw"].value


def test_lesions_of_one_kind_stay_as_they_are_rated() -> None:
    all_true = Agreement("p", 0.7, 0.7, 1.0, 0, 1.0, 1.0, rated=((0.8, True), (0.9, True)))
    assert lesion_calibration.rating([all_true]) == Rating()


def test_a_lesion_is_rated_by_its_voxels_and_true_where_one_was_drawn() -> None:
    found, drawn = np.zeros((2, 20, 20, 3), np.bool_)
    found[2:5, 2:5, 1] = found[12:16, 12:16, 1] = True
    drawn[4:7, 4:7, 1] = True
    probability = np.where(found, 0.8, 0.1).astype(np.float32)
    probability[12:16, 12:16, 1] = 0.6
    (first, is_drawn), (second, not_drawn) = rated(probability, found, drawn)
    assert np.allclose([first, second], [0.8, 0.6])
    assert (is_drawn, not_drawn) == (True, False)

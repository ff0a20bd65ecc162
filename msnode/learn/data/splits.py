"""Splits by person: images of one person never lie on both sides.

Every function takes one person (and one class or site) per row and returns rows; the persons of
a class are dealt out evenly, so that no part is left without a class where persons suffice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.errors import ConfigError, Refused

SCHEMES = ("holdout", "k-fold", "leave-one-patient-out", "leave-one-site-out", "leaking")

Rows = NDArray[np.int64]
"""Numbers of images."""
Labels = NDArray[np.int64]
"""(n,) 0 or 1 for each image."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of one split; the parts share no person.

    Attributes:
        name: of the fold, e.g. ``fold 1`` or ``without site tabriz``.
        train: rows to learn from.
        validation: rows for early stopping, calibration and the operating point; may be empty.
        test: rows that only measure.
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows


def by_scheme(
    scheme: str,
    persons: Sequence[str],
    classes: Sequence[str],
    sites: Sequence[str],
    folds: int = 5,
    seed: int = 0,
) -> list[Split]:
    """The splits of one of ``SCHEMES``.

    Args:
        scheme: its name.
        persons: one a row.
        classes: one a row.
        sites: one a row.
        folds: of ``k-fold``.
        seed: of the shuffle.

    Raises:
        ConfigError: no such scheme.
        Refused: too few persons or sites for it.
    """
    if scheme == "holdout":
        return [holdout(persons, classes, seed=seed)]
    if scheme == "k-fold":
        return list(k_fold(persons, classes, folds, seed))
    if scheme == "leave-one-patient-out":
        return list(leave_one_patient_out(persons, classes, seed))
    if scheme == "leave-one-site-out":
        return list(leave_one_site_out(persons, classes, sites, seed))
    if scheme == "leaking":
        return [leaking(len(persons), (0.75, 0.10, 0.15), seed)]
    raise ConfigError(f"scheme {scheme!r} is unknown; use one of {', '.join(SCHEMES)}")


def holdout(
    persons: Sequence[str],
    classes: Sequence[str],
    parts: tuple[float, float, float] = (0.75, 0.10, 0.15),
    seed: int = 0,
) -> Split:
    """One split into train, validation and test persons, class by class.

    Args:
        persons: one a row.
        classes: the person's class, one a row.
        parts: fractions of the persons; each part gets at least one person of a class that has
            three or more.
        seed: of the shuffle.

    Raises:
        Refused: a class has fewer than three persons.
    """
    chosen: tuple[set[str], ...] = (set(), set(), set())
    for name, members in _dealt(persons, classes, seed):
        if len(members) < 3:
            raise Refused(
                f"class {name!r} has {len(members)} person(s): train, validation and test need"
                " at least one each; add persons or use leave-one-patient-out"
            )
        count = len(members)
        validation, test = (max(1, round(part * count)) for part in parts[1:])
        chosen[1].update(members[:validation])
        chosen[2].update(members[validation : validation + test])
        chosen[0].update(members[validation + test :])
    train, validation_rows, test_rows = (rows_of(persons, part) for part in chosen)
    return Split("holdout", train, validation_rows, test_rows)


def k_fold(
    persons: Sequence[str], classes: Sequence[str], folds: int = 5, seed: int = 0
) -> Iterator[Split]:
    """Each person is tested once; the next fold's persons validate.

    Raises:
        Refused: fewer persons than folds, or fewer than three folds.
    """
    dealt = list(_dealt(persons, classes, seed))
    everyone = [person for _, members in dealt for person in members]
    if folds < 3 or len(everyone) < folds:
        raise Refused(f"{folds} folds need 3 <= folds <= persons, and there are {len(everyone)}")
    groups = [set(everyone[k::folds]) for k in range(folds)]
    for k, test in enumerate(groups):
        validation = groups[(k + 1) % folds]
        yield _split(f"fold {k + 1}", persons, validation, test)


def leave_one_patient_out(
    persons: Sequence[str], classes: Sequence[str], seed: int = 0
) -> Iterator[Split]:
    """As many folds as persons; one person of each class validates."""
    dealt = list(_dealt(persons, classes, seed))
    for person in sorted(set(persons)):
        others = [[m for m in members if m != person] for _, members in dealt]
        validation = {members[0] for members in others if len(members) > 1}
        yield _split(f"without person {person}", persons, validation, {person})


def leave_one_site_out(
    persons: Sequence[str], classes: Sequence[str], sites: Sequence[str], seed: int = 0
) -> Iterator[Split]:
    """As many folds as sites; one person of each class of the other sites validates.

    Raises:
        Refused: there is only one site.
    """
    names = sorted(set(sites))
    if len(names) < 2:
        raise Refused(f"leave-one-site-out needs two sites; column site holds {names}")
    dealt = list(_dealt(persons, classes, seed))
    for site in names:
        test = {p for p, s in zip(persons, sites, strict=True) if s == site}
        others = [[m for m in members if m not in test] for _, members in dealt]
        validation = {members[0] for members in others if len(members) > 1}
        yield _split(f"without site {site}", persons, validation, test)


def leaking(rows: int, parts: tuple[float, float, float], seed: int = 0) -> Split:
    """The papers' split by slice, which shares persons; only to show how that inflates figures."""
    order = np.random.default_rng(seed).permutation(rows)
    first, second = (round(rows * part) for part in (parts[0], parts[0] + parts[1]))
    return Split(
        "by slice (leaks)",
        np.sort(order[:first]),
        np.sort(order[first:second]),
        np.sort(order[second:]),
    )


def with_extra(split: Split, chosen: Rows, extra: Rows, persons: Sequence[str]) -> Split:
    """Express a split of some rows in numbers of all rows, and add rows that are only trained on.

    Args:
        split: its rows count within ``chosen``.
        chosen: the rows that were split.
        extra: further rows to learn from, except those of persons who validate or are tested.
        persons: one for each of all rows.
    """
    train, validation, test = (chosen[part] for part in (split.train, split.validation, split.test))
    kept_out = {persons[row] for row in (*validation, *test)}
    allowed = np.array([row for row in extra if persons[row] not in kept_out], np.int64)
    return Split(split.name, np.concatenate([train, allowed]), validation, test)


def rows_of(persons: Sequence[str], chosen: set[str]) -> Rows:
    """The rows of some persons."""
    return np.flatnonzero([person in chosen for person in persons]).astype(np.int64)


def _split(name: str, persons: Sequence[str], validation: set[str], test: set[str]) -> Split:
    """Everyone who neither validates nor is tested trains."""
    train = set(persons) - validation - test
    parts = [rows_of(persons, part) for part in (train, validation - test, test)]
    return Split(name, *parts)


def _dealt(
    persons: Sequence[str], classes: Sequence[str], seed: int
) -> Iterator[tuple[str, list[str]]]:
    """Each class with its persons in a shuffled order.

    A person with rows of several classes counts as the alphabetically last (e.g. "ms" of
    "control" and "ms"), so that nobody is dealt twice.
    """
    last: dict[str, str] = {}
    for person, name in zip(persons, classes, strict=True):
        last[person] = max(name, last.get(person, name))
    rng = np.random.default_rng(seed)
    for name in sorted(set(last.values())):
        members = sorted(person for person, own in last.items() if own == name)
        rng.shuffle(members)
        yield name, members

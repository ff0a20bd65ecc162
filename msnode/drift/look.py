"""Looks at the last whole block of studies, as the node's rows are now.

Studies are numbered as they came; after the baseline every ``window`` of them are a block, and each
block is looked at once, so that the number of looks in a year is known, and with it the chance that
each may take (`alpha_of`). Nothing is kept between two looks but the baseline: a restart changes
nothing.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np
import sqlalchemy as sa

from msnode.config import Drift
from msnode.drift import two_samples as test
from msnode.drift.baseline import FrozenBaseline, baseline_key, collected, find, freeze
from msnode.drift.reference import Reference
from msnode.drift.sample import FEW, DriftSample, one_of_each, sample_of
from msnode.drift.state import (
    FEWEST,
    MIX,
    PARTS,
    SHARES,
    VALUES,
    DriftState,
    Part,
    PartState,
    ValueState,
)
from msnode.store.study_values import StudyValues, came, listed, newest_model

YEAR_DAYS = 365.25
LATE_S = 90 * 86400.0
"""The rate of studies is that of so long."""
HIGHEST = 0.05
"""Of the chances that a block may take."""
NEW = 3
"""Studies of a scanner that the baseline does not know, from which it is told."""
OF_SITE = frozenset({"brightness"})
"""Scanners give it in numbers of their own: it says nothing beside data of others."""


def look(
    database: sa.Engine,
    settings: Drift,
    reference: Reference | None = None,
    now: float | None = None,
    *,
    freezes: bool = True,
) -> DriftState:
    """What is known of drift now.

    Args:
        database: migrated.
        settings: of the node.
        reference: of the bundle.
        now: unix s.
        freezes: whether a baseline that is whole is frozen; who only looks changes nothing.
    """
    at = time.time() if now is None else now
    if freezes:
        _freeze(database, settings)
    with database.connect() as connection:
        per_day = _rate(connection, at)
        alpha = alpha_of(per_day, settings) / len(PARTS)
        model = newest_model(connection)
        states = {
            part: _part(connection, part, model, settings, alpha, reference) for part in PARTS
        }
    return DriftState(states["input"], states["output"], per_day)


def alpha_of(per_day: float, settings: Drift) -> float:
    """The chance of a false alarm that a block may take, by how many there are in a year."""
    blocks = per_day * YEAR_DAYS / settings.window
    return min(HIGHEST, settings.false_alarms_per_year / blocks) if blocks else HIGHEST


def _freeze(database: sa.Engine, settings: Drift) -> None:
    """Freeze what is whole; where another host is quicker, its baseline stands."""
    for part in PARTS:
        with suppress(sa.exc.IntegrityError), database.begin() as connection:
            model = newest_model(connection)
            key = baseline_key(part, model)
            since = find(connection, key)
            if isinstance(since, FrozenBaseline):
                continue
            rows = collected(connection, part, model, since, settings.baseline)
            if len(rows) == settings.baseline:
                freeze(connection, key, part, rows)


def _rate(connection: sa.Connection, now: float) -> float:
    """Studies a day, of late."""
    number, first = came(connection, now - LATE_S)
    return number / max((now - first) / 86400, 1.0) if number else 0.0


def _part(
    connection: sa.Connection,
    part: Part,
    model: str,
    settings: Drift,
    alpha: float,
    reference: Reference | None,
) -> PartState:
    """What is known of input or output."""
    key = baseline_key(part, model)
    base = find(connection, key)
    if not isinstance(base, FrozenBaseline):
        rows = collected(connection, part, model, base, settings.baseline)
        if len(rows) < settings.baseline:
            missing = settings.baseline - len(rows) + settings.window
            return PartState(part, len(rows), None, missing)
        base = FrozenBaseline(rows[-1].recorded_at, sample_of(rows, part))
    digest = model if part == "output" else None
    since = listed(connection, base.frozen_at, model_digest=digest, after=True)
    whole = len(since) // settings.window * settings.window
    left = settings.window - (len(since) - whole)
    known = PartState(part, base.sample.studies, base.frozen_at, 0 if whole else left, next_in=left)
    if not whole:
        return known
    return compared(known, base.sample, since[whole - settings.window : whole], alpha, reference)


def compared(
    known: PartState,
    base: DriftSample,
    block: Sequence[StudyValues],
    alpha: float,
    reference: Reference | None = None,
) -> PartState:
    """A block of studies beside the baseline.

    Args:
        known: what is known so far.
        base: the baseline.
        block: the studies, in the order in which they came.
        alpha: chance of any false alarm.
        reference: the training data's.
    """
    rows = one_of_each(block)
    now = sample_of(rows, known.part)
    new = {name: n for name, n in now.scanners.items() if name not in base.scanners}
    old = [row for row in rows if row.scanner in base.scanners or not row.told]
    alike = sample_of(old, known.part)
    tests = [*_tests(known.part, base, alike)]
    stands = test.holm([chance for _, chance in tests], alpha)
    beyond = {state.name for (state, _), is_so in zip(tests, stands, strict=True) if is_so}
    states = {state.name: state for state, _ in tests}
    chances = {name: min(c for s, c in tests if s.name == name) for name in states}
    return PartState(
        part=known.part,
        baseline=known.baseline,
        frozen_at=known.frozen_at,
        missing=0 if tests else known.next_in,
        studies=len(block),
        patients=len(rows),
        until=block[-1].recorded_at,
        next_in=known.next_in,
        values=tuple(
            _with_training(state, name in beyond, chances[name], now, reference)
            for name, state in states.items()
        ),
        alpha=alpha,
        new_scanners=tuple((name, n) for name, n in sorted(new.items()) if n >= NEW),
        by_scanner=tuple(_by_scanner(known.part, base, now)),
    )


def _tests(part: Part, base: DriftSample, now: DriftSample) -> Iterator[tuple[ValueState, float]]:
    """Each test with the chance of what was found; two for each value."""
    for name in VALUES[part]:
        before, after = base.of(name), now.of(name)
        if min(len(before), len(after)) < FEWEST:
            continue
        counts = test.binned(before, after)
        index, middles = (
            float(test.psi(*counts)),
            (float(np.median(before)), float(np.median(after))),
        )
        state = ValueState(name, False, index, 1.0, *middles)
        yield state, test.ks_chance(before, after)
        yield state, test.psi_chance(*counts)
    if min(base.studies, now.studies) < FEWEST:
        return
    shares = base.hits / base.studies, now.hits / now.studies
    found = test.share_chance((base.hits, base.studies), (now.hits, now.studies))
    yield ValueState(SHARES[part], False, None, 1.0, *shares), found
    if part == "input" and len(base.scanners) > 1:
        counts = test.counted(base.scanners, now.scanners)
        state = ValueState(MIX, False, float(test.psi(*counts)), 1.0, None, None)
        yield state, test.psi_chance(*counts)


def _with_training(
    state: ValueState, drifts: bool, chance: float, now: DriftSample, reference: Reference | None
) -> ValueState:
    """A value's state, also beside the training data."""
    told = (reference.values if reference is not None else {}).get(state.name, ())
    values = now.of(state.name)
    shown = (state.name, drifts, state.psi, chance, state.base, state.now)
    if not told or state.name in OF_SITE or len(values) < FEWEST:
        return ValueState(*shown)
    counts = test.binned(told, values)
    low, high = np.quantile(told, (0.01, 0.99))
    outside = float(np.mean([not low <= one <= high for one in values]))
    return ValueState(*shown, float(test.psi(*counts)), test.psi_chance(*counts), outside)


def _by_scanner(
    part: Part, base: DriftSample, now: DriftSample
) -> Iterable[tuple[str, tuple[tuple[str, float], ...]]]:
    """PSI of each scanner that has enough studies in both: to tell which one it is."""
    for scanner in sorted(base.values.keys() & now.values.keys()):
        told = []
        for name in VALUES[part]:
            before, after = (one.values[scanner].get(name, []) for one in (base, now))
            if min(len(before), len(after)) >= FEWEST:
                told.append((name, float(test.psi(*test.binned(before, after)))))
        if told and min(base.scanners.get(scanner, 0), now.scanners.get(scanner, 0)) >= FEW:
            yield scanner, tuple(told)

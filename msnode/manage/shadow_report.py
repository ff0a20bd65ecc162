"""What shadow bundles said beside the bundle in force, compared."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from msnode.manage.evidence_cases import cases_of
from msnode.manage.shadow_figures import (
    Accuracy,
    Differences,
    Measured,
    accuracy,
    agreement,
    differences,
    kappa,
)
from msnode.records.images import Float64Array
from msnode.store.shadow_results import OPEN, ShadowRow, State, every


@dataclass(frozen=True, slots=True)
class Differing:
    """A study of which the two say something else."""

    study: str
    generation: int
    in_force: str
    shadow: str
    probability_in_force: float | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class AgainstReaders:
    """Both against what readers say, on exactly the same studies.

    Attributes:
        studies: of which readers say what they are, and both gave a probability.
        with_ms: of these.
    """

    studies: int
    with_ms: int
    shadow: Accuracy
    in_force: Accuracy


@dataclass(frozen=True, slots=True)
class Comparison:
    """One shadow beside one bundle in force.

    Attributes:
        shadow: its name.
        version: name and version of its bundle.
        digest: of its bundle.
        digest_in_force: of the other one.
        counts: results by the state of their comparison.
        patients: of the studies that were compared.
        outcomes: number of studies by outcome in force, then by the shadow's.
        seconds: median of a study; None where none was compared.
        readers: None where they have said nothing of these studies.
    """

    shadow: str
    version: str
    digest: str
    digest_in_force: str
    counts: dict[str, int]
    patients: int
    agreement: Measured
    kappa: Measured
    outcomes: dict[str, dict[str, int]]
    differences: Differences
    seconds: float | None
    differing: tuple[Differing, ...]
    readers: AgainstReaders | None

    @property
    def compared(self) -> int:
        """Studies that both have read."""
        return self.counts.get(State.COMPARED, 0)

    @property
    def waiting(self) -> int:
        """Studies whose turn will come."""
        return sum(self.counts.get(state, 0) for state in OPEN)


def comparisons(database: sa.Engine, since: float = 0.0) -> list[Comparison]:
    """Each shadow beside each bundle in force that it was compared with, the newest last.

    Of a study with several generations the newest that was compared counts: earlier ones are read
    from a part of the same images.

    Args:
        database: migrated.
        since: only results that were made since then, unix s.
    """
    with database.connect() as connection:
        rows = every(connection, since)
        cases = cases_of(connection)
    patients = {one.study_key: one.person for one in cases}
    truth = {one.study_key: one.is_true for one in cases if one.is_true is not None}
    groups: dict[tuple[str, str, str], list[ShadowRow]] = {}
    for row in rows:
        key = row.shadow, row.shadow_digest, row.digest_in_force
        groups.setdefault(key, []).append(row)
    return [_comparison(group, patients, truth) for group in groups.values()]


def _comparison(
    rows: Sequence[ShadowRow], patients: Mapping[str, str], truth: Mapping[str, bool]
) -> Comparison:
    """Of the rows of one shadow and one bundle in force, the oldest first."""
    newest = {row.study_key: row for row in rows if row.state == State.COMPARED}
    both = list(newest.values())
    ours, theirs = [str(row.outcome) for row in both], [row.outcome_in_force for row in both]
    whose = [patients[row.study_key] for row in both]
    pairs = Counter(zip(theirs, ours, strict=True))
    seconds = [row.seconds for row in both if row.seconds is not None]
    counts = dict(Counter(str(row.state) for row in rows)) | {str(State.COMPARED): len(both)}
    return Comparison(
        shadow=rows[-1].shadow,
        version=rows[-1].shadow_version,
        digest=rows[-1].shadow_digest,
        digest_in_force=rows[-1].digest_in_force,
        counts=counts,
        patients=len(set(whose)),
        agreement=agreement(ours, theirs),
        kappa=kappa(ours, theirs, whose),
        outcomes={a: {b: n for (x, b), n in sorted(pairs.items()) if x == a} for a in set(theirs)},
        differences=differences(*_probabilities(_decided(both))),
        seconds=float(np.median(seconds)) if seconds else None,
        differing=tuple(_differing(both)),
        readers=_against_readers(_decided(both), patients, truth),
    )


def _decided(rows: Sequence[ShadowRow]) -> list[ShadowRow]:
    """Those of which both have a probability."""
    return [r for r in rows if r.probability is not None and r.probability_in_force is not None]


def _probabilities(rows: Sequence[ShadowRow]) -> tuple[Float64Array, Float64Array]:
    """Of the shadow and in force, (n,) each."""
    ours = np.array([row.probability for row in rows], np.float64)
    return ours, np.array([row.probability_in_force for row in rows], np.float64)


def _differing(rows: Sequence[ShadowRow]) -> Iterator[Differing]:
    for row in rows:
        if row.outcome != row.outcome_in_force:
            yield Differing(
                row.study_key, row.generation, row.outcome_in_force, str(row.outcome),
                row.probability_in_force, row.probability,
            )  # fmt: skip


def _against_readers(
    rows: Sequence[ShadowRow], patients: Mapping[str, str], truth: Mapping[str, bool]
) -> AgainstReaders | None:
    known = [row for row in rows if row.study_key in truth]
    if not known:
        return None
    is_ms = np.array([truth[row.study_key] for row in known])
    ours, theirs = _probabilities(known)
    whose = [patients[row.study_key] for row in known]
    return AgainstReaders(
        len(known),
        int(is_ms.sum()),
        accuracy(is_ms, [str(row.outcome) for row in known], ours, whose),
        accuracy(is_ms, [row.outcome_in_force for row in known], theirs, whose),
    )

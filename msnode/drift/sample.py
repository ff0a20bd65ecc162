"""Values of many studies, sorted each for itself: nothing tells which belong to one person."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msnode.drift.state import SHARES, VALUES, Part
from msnode.store.study_values import StudyValues

OTHERS = "others"
FEW = 5
"""Studies of a scanner that has fewer are kept together with those of others."""
REFUSED = "not_analysed"


@dataclass(frozen=True, slots=True)
class DriftSample:
    """Of a baseline, or of a block.

    Attributes:
        values: sorted numbers by scanner and name.
        scanners: studies by scanner.
        hits: studies that count for the share of the part.
        studies: of which ``hits`` are.
    """

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    scanners: dict[str, int] = field(default_factory=dict)
    hits: int = 0
    studies: int = 0

    def of(self, name: str, scanners: Iterable[str] | None = None) -> list[float]:
        """All numbers of a value; of some scanners alone where they are named."""
        wanted = self.values if scanners is None else [*scanners, OTHERS]
        parts = (self.values.get(one, {}).get(name, []) for one in wanted)
        return sorted(value for part in parts for value in part)


def one_of_each(rows: Iterable[StudyValues]) -> list[StudyValues]:
    """The first study of each patient: a patient's studies are alike."""
    first: dict[str, StudyValues] = {}
    for row in rows:
        first.setdefault(row.person, row)
    return list(first.values())


def sample_of(rows: Sequence[StudyValues], part: Part) -> DriftSample:
    """What is to be compared of studies, one of each patient."""
    names = VALUES[part]
    many = {name for name, n in Counter(row.scanner for row in rows).items() if n >= FEW}
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        mine = values[row.scanner if row.scanner in many else OTHERS]
        for name in names:
            if name in row.told:
                mine[name].append(row.told[name])
    outcome = REFUSED if SHARES[part] == "refused" else "undetermined"
    return DriftSample(
        {one: {name: sorted(told) for name, told in mine.items()} for one, mine in values.items()},
        dict(Counter(row.scanner for row in rows if row.told)),
        sum(row.outcome == outcome for row in rows),
        len(rows),
    )

"""Whether a bundle is measured on persons that it learned from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msnode.records.learned_persons import Acquaintance, LearnedPersons

NOT_KNOWN = (
    "not known whether the bundle learned from these persons: it lists none (it is older than"
    " that list, or was made by another program)"
)


@dataclass(frozen=True, slots=True)
class Acquainted:
    """What a bundle has of the persons of an index.

    Attributes:
        of: by person; None where the bundle does not say whom it learned from.
        warnings: what the reader must know.
    """

    of: dict[str, Acquaintance] | None
    warnings: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int] | None:
        """Persons by acquaintance; None where it is not known."""
        if self.of is None:
            return None
        found = Counter(self.of.values())
        return {name: found[name] for name in ("learned", "calibrated", "unseen")}

    @property
    def mixed(self) -> bool:
        """Whether the figures have to be parted."""
        return self.of is not None and len(set(self.of.values()) & {"learned", "calibrated"}) > 0

    def is_unseen(self, person: str) -> bool:
        """Whether the bundle has nothing of a person, or does not say."""
        return (self.of or {}).get(person, "unseen") == "unseen"

    def rows(self, persons: Sequence[str], *, unseen: bool) -> NDArray[np.bool_]:
        """(n,) which images are of persons that are unseen, or of the others."""
        return np.array([self.is_unseen(one) == unseen for one in persons])


def acquainted(known: LearnedPersons | None, persons: Sequence[str]) -> Acquainted:
    """Ask a bundle about the persons of an index.

    Args:
        known: from its manifest.
        persons: pseudonyms as the index spells them; the bundle knows them by no other spelling.
    """
    if known is None:
        return Acquainted(None, (NOT_KNOWN,))
    found = {person: known.acquaintance(person) for person in sorted(set(persons))}
    here = Acquainted(found, ())
    counts = here.counts or {}
    warnings = []
    if taught := counts["learned"]:
        warnings.append(
            f"THE BUNDLE LEARNED FROM {taught} OF THESE {len(found)} PERSONS: figures of all"
            " flatter it; only those of unseen persons say what to expect of new ones"
        )
    if tuned := counts["calibrated"]:
        warnings.append(
            f"{tuned} of these {len(found)} persons set the bundle's calibration or thresholds:"
            " figures with them flatter it a little"
        )
    if known.others:
        warnings.append("an earlier run taught the bundle persons that it does not list")
    return Acquainted(found, tuple(warnings))

"""Whom a model learned from, as hashes: enough to recognise a person, too little to name one.

Pseudonyms are short, so a plain hash would be undone by trying them all. Each bundle has a salt of
its own, and scrypt (RFC 7914) makes every try take some 20 ms.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Acquaintance = Literal["learned", "calibrated", "unseen"]
"""What a model has of a person: weights, calibration and thresholds, or nothing."""

COST, BLOCK = 2**13, 8
"""Scrypt's N and r: 8 MB and some 20 ms for each person."""


@dataclass(frozen=True, slots=True)
class LearnedPersons:
    """The persons behind a bundle.

    Attributes:
        salt: of the hashes, hex; drawn for each bundle.
        learned: hashes of those who taught the weights, sorted.
        calibrated: of those who did not, but set calibration, thresholds or when to stop.
        others: whether an earlier run, from which this one went on, taught more who are not listed.
    """

    salt: str
    learned: tuple[str, ...]
    calibrated: tuple[str, ...] = ()
    others: bool = False

    def acquaintance(self, person: str) -> Acquaintance:
        """What the model has of a person.

        Args:
            person: the pseudonym as the index spells it.
        """
        found = hashed(self.salt, person)
        if found in self.learned:
            return "learned"
        return "calibrated" if found in self.calibrated else "unseen"


def learned_persons(
    learned: Iterable[str], calibrated: Iterable[str] = (), others: bool = False
) -> LearnedPersons:
    """Hash pseudonyms with a fresh salt; who learned and calibrated counts as learned from."""
    salt, taught = secrets.token_hex(16), set(learned)
    return LearnedPersons(
        salt,
        tuple(sorted(hashed(salt, person) for person in taught)),
        tuple(sorted(hashed(salt, person) for person in set(calibrated) - taught)),
        others,
    )


@lru_cache(4096)
def hashed(salt: str, person: str) -> str:
    """32 hex digits of a pseudonym."""
    word = person.strip().encode()
    return hashlib.scrypt(word, salt=bytes.fromhex(salt), n=COST, r=BLOCK, p=1, dklen=16).hex()

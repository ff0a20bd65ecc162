"""Who once was as a patient is, here and among published people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from msnode.twin.clinical.course import Course
from msnode.twin.similar.features import Distance, Features, distance, feature_history
from msnode.twin.similar.nearest import Nearest, nearest
from msnode.twin.similar.published import Person, Place, people, place

SHOWN = 10
"""Matches of each source."""


@dataclass(frozen=True, slots=True)
class Similar:
    """Who is like a patient.

    Attributes:
        known: what is compared, as of the day asked for.
        place: of the load in the cohort; None where load or age is not known.
        own: of the node's own record.
        published: of the 30 people, nearest first.
        published_number: how many of them could be compared.
    """

    known: Features
    place: Place | None
    own: Nearest
    published: tuple[tuple[Person, Distance], ...]
    published_number: int


def similar_to(
    database: sa.Engine, keys: Sequence[str], found: Course, seconds: float = math.inf
) -> Similar:
    """Who is like a patient.

    Args:
        database: migrated.
        keys: of the patient.
        found: the patient's course.
        seconds: that looking through the node's own record may take.
    """
    known = feature_history(found).at(date.today())
    apart = [(person, distance(known, person.known)) for person in people()]
    compared = [(person, there) for person, there in apart if there is not None]
    compared.sort(key=lambda one: one[1].value)
    return Similar(
        known=known,
        place=place(known),
        own=nearest(database, keys, known, SHOWN, seconds),
        published=tuple(compared[:SHOWN]),
        published_number=len(compared),
    )

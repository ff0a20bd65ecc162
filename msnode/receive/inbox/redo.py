"""A study is analysed again, though no image of it came.

Somebody asks for it, or earlier studies of the patient came after its result was made.
"""

import sqlalchemy as sa

from msnode.errors import MsnodeError
from msnode.receive.dicom.sop_classes import CAPTURES, MR, PICTURES
from msnode.store.database import StudyState, instances, prior_searches, studies

REDO, PRIORS = "redo", "priors"
"""Why such a generation counts as complete."""


def redo(database: sa.Engine, study_key: str) -> int:
    """Queue the next generation of a study with the images that are here.

    A running node takes it up within seconds, another one when it starts.

    Args:
        database: migrated.
        study_key: of the study.

    Returns:
        The new generation.

    Raises:
        MsnodeError: there is no such study, it is under way already, or its images are gone.
    """
    mine = studies.c.study_key == study_key
    with database.begin() as connection:
        row = connection.execute(sa.select(studies).where(mine).with_for_update()).one_or_none()
        if row is None:
            raise MsnodeError(f"there is no study {study_key} here; see `msnode studies`")
        if row.state != StudyState.DONE or row.generation == 0:
            raise MsnodeError(f"study {study_key} is {row.state}: its result comes by itself")
        images = sa.select(sa.func.count()).where(
            instances.c.study_key == study_key,
            instances.c.sop_class_uid.in_(MR | PICTURES | CAPTURES),
        )
        if row.images_deleted_at is not None or not connection.scalar(images):
            raise MsnodeError(
                f"the images of study {study_key} were deleted by retention; send it once more"
            )
        values = {"state": StudyState.QUEUED, "generation": row.generation + 1, "completion": REDO}
        connection.execute(studies.update().where(mine).values(values))
    return int(row.generation) + 1


def revise(database: sa.Engine) -> list[tuple[str, int]]:
    """Queue the next generation of studies that were compared before earlier studies came.

    Of one that is under way its end is waited for; one whose images were deleted stays as it is.

    Returns:
        Their keys and new generations.
    """
    columns = prior_searches.c
    query = (
        sa.select(columns.study_key)
        .join(studies, studies.c.study_key == columns.study_key)
        .where(columns.ready, studies.c.state == StudyState.DONE, studies.c.generation > 0)
        .distinct()
    )
    with database.connect() as connection:
        due = connection.scalars(query).all()
    return [(key, number) for key in due if (number := _revised(database, key))]


def _revised(database: sa.Engine, study_key: str) -> int:
    """The new generation of a study; 0 where it gets none, as another host was faster."""
    mine, searches = studies.c.study_key == study_key, prior_searches.c.study_key == study_key
    with database.begin() as connection:
        row = connection.execute(sa.select(studies).where(mine).with_for_update()).one_or_none()
        news = connection.scalar(sa.select(sa.exists().where(searches, prior_searches.c.ready)))
        if row is None or row.state != StudyState.DONE or not news:
            return 0
        connection.execute(prior_searches.update().where(searches).values(news=False, ready=False))
        if row.images_deleted_at is not None:
            return 0
        generation = int(row.generation) + 1
        values = {"state": StudyState.QUEUED, "generation": generation, "completion": PRIORS}
        connection.execute(studies.update().where(mine).values(values))
    return generation

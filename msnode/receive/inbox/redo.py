"""A study is analysed again because somebody asks for it, not because images came."""

import sqlalchemy as sa

from msnode.errors import MsnodeError
from msnode.receive.dicom.sop_classes import ANALYSED
from msnode.store.database import StudyState, instances, studies

REDO = "redo"
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
            instances.c.study_key == study_key, instances.c.sop_class_uid.in_(ANALYSED)
        )
        if row.images_deleted_at is not None or not connection.scalar(images):
            raise MsnodeError(
                f"the images of study {study_key} were deleted by retention; send it once more"
            )
        values = {"state": StudyState.QUEUED, "generation": row.generation + 1, "completion": REDO}
        connection.execute(studies.update().where(mine).values(values))
    return int(row.generation) + 1

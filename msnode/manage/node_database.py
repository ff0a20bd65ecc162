"""The database of a node that a configuration describes, whether the node runs or not."""

import sqlalchemy as sa

from msnode import config
from msnode.engine.jobs import Jobs
from msnode.errors import MsnodeError
from msnode.store.database import NEWEST, open_database, schema_version


def opened(settings: config.Config) -> sa.Engine:
    """The node's database.

    Raises:
        MsnodeError: it is of another version of this program.
    """
    database = open_database(settings.database_url)
    if Jobs.exist(database):
        current = schema_version(database)
        if current != NEWEST:
            raise MsnodeError(
                f"the database has schema {current}, this program wants {NEWEST}: start the node, "
                "which brings it up to date"
            )
    return database

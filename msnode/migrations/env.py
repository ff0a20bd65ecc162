"""Run by Alembic; the connection and its transaction come from ``msnode.database.migrate``."""

from alembic import context

from msnode.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table only by copying it
)
context.run_migrations()

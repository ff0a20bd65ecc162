"""Alembic migrations of the database; see ``msnode.store.schema.migrate``."""

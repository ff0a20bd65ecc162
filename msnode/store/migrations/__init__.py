"""Alembic migrations of the database; see ``msnode.store.database.migrate``."""

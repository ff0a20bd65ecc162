"""Alembic migrations of the database; see ``msnode.database.migrate``."""

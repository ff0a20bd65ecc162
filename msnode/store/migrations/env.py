"""Run by Alembic; connection and transaction come from ``msnode.store.schema.migrate``."""

from alembic import context

import msnode.store.clinical_searches
import msnode.store.evidence_tables
import msnode.store.page_tables
import msnode.store.shadow_tables  # noqa: F401 - likewise
from msnode.store.hl7_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table only by copying it
)
context.run_migrations()

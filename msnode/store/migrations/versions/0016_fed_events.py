"""Clinical events are found by what they replace: versions of a resource of another system.

Revision 0016, after 0014.
"""

from alembic import op

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_index("ix_clinical_events_replaces", "clinical_events", ["replaces"])

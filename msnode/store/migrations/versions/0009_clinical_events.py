"""clinical_events: what a clinic knows of a patient; results: date of the scan compared with.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("prior_date", sa.String(length=8), nullable=True))
    op.create_table(
        "clinical_events",
        sa.Column("patient_key", sa.String(48), nullable=False),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("event_date", sa.String(8), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("identifier", sa.String(64), nullable=False),
        sa.Column("replaces", sa.String(64), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.Float(), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("patient_key", "identity", name=op.f("pk_clinical_events")),
    )

"""clinical_searches: which patients a FHIR source was asked for, and when it is asked again.

Revision 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "clinical_searches",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("patient_key", sa.String(48), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("since", sa.Float(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "patient_key", name=op.f("pk_clinical_searches")),
    )

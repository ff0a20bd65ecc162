"""patient_merges: which IDs are of one person.

Revision 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "patient_merges",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("old_key", sa.String(48), nullable=False),
        sa.Column("into_key", sa.String(48), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_patient_merges")),
    )

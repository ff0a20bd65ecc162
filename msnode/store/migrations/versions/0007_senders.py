"""senders: associations that still send images of a study, or broke off.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "senders",
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("association", sa.Integer(), nullable=False),
        sa.Column("calling_ae_title", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("study_key", "process", "association", name=op.f("pk_senders")),
    )

"""results: what a later study of the same patient says of them.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("study_date", sa.String(length=8), nullable=True))
    op.add_column("results", sa.Column("model", sa.Text(), nullable=True))
    op.add_column("results", sa.Column("threshold", sa.Float(), nullable=True))

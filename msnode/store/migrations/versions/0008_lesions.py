"""results: lesions, and what changed; studies: when a kept visit was deleted.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("lesion_count", sa.Integer(), nullable=True))
    op.add_column("results", sa.Column("lesion_ml", sa.Float(), nullable=True))
    op.add_column("results", sa.Column("lesion_digest", sa.String(length=64), nullable=True))
    op.add_column("results", sa.Column("comparison", sa.String(length=16), nullable=True))
    op.add_column("results", sa.Column("new_lesions", sa.Integer(), nullable=True))
    op.add_column("results", sa.Column("enlarging_lesions", sa.Integer(), nullable=True))
    op.add_column("studies", sa.Column("visits_deleted_at", sa.Float(), nullable=True))

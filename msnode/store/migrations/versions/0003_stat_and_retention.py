"""stat and retention: which studies are urgent, and what of them was deleted by retention.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column(
        "studies", sa.Column("stat", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("studies", sa.Column("images_deleted_at", sa.Float(), nullable=True))
    op.add_column("studies", sa.Column("results_deleted_at", sa.Float(), nullable=True))

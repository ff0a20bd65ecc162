"""receipts: results that are not sent any more, as a revised one is there.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column(
        "receipts",
        sa.Column("superseded", sa.Boolean(), nullable=False, server_default=sa.false()),
    )

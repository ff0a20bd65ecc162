"""feedback: why a lesion is rejected; verdicts: whether one waits to be sent.

Revision 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("feedback", sa.Column("reason", sa.String(16), nullable=True))
    op.add_column(
        "verdicts", sa.Column("waiting", sa.Boolean(), server_default=sa.false(), nullable=False)
    )

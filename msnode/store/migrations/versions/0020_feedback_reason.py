"""feedback: why a lesion is rejected.

Revision 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("feedback", sa.Column("reason", sa.String(16), nullable=True))

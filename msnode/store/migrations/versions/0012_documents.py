"""results: the measurement SRs that were made, for later reports to refer to.

Revision 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("documents", sa.Text(), nullable=True))

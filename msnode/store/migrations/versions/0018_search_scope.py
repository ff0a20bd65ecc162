"""clinical_searches.scope: what a search asked for, as another one needs the whole history.

Revision 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("clinical_searches", sa.Column("scope", sa.String(32), nullable=True))

"""expectations: what was expected of a study; results: lesion volume by region; an index.

Revision 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("lesion_regions", sa.Text(), nullable=True))
    op.create_table(
        "expectations",
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_key"], ["studies.study_key"], name=op.f("fk_expectations_study_key_studies")
        ),
        sa.PrimaryKeyConstraint("study_key", name=op.f("pk_expectations")),
    )
    op.create_index(op.f("ix_expectations_made_at"), "expectations", ["made_at"])
    op.create_index(op.f("ix_studies_patient_key"), "studies", ["patient_key"])

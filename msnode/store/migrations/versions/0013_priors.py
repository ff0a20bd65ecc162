"""prior_searches, prior_studies: earlier studies that are fetched.

Revision 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "prior_searches",
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("wait_until", sa.Float(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("news", sa.Boolean(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_key", "source", name=op.f("pk_prior_searches")),
    )
    op.create_index(op.f("ix_prior_searches_state"), "prior_searches", ["state"])
    op.create_table(
        "prior_studies",
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("prior_key", sa.String(16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("study_date", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=True),
        sa.Column("kept_at", sa.Float(), nullable=True),
        sa.Column("patient_key", sa.String(48), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("study_key", "prior_key", "source", name=op.f("pk_prior_studies")),
    )
    op.create_index(op.f("ix_prior_studies_patient_key"), "prior_studies", ["patient_key"])
    op.create_index(op.f("ix_prior_studies_prior_key"), "prior_studies", ["prior_key"])
    op.create_index(
        op.f("ix_prior_studies_study_instance_uid"), "prior_studies", ["study_instance_uid"]
    )

"""shadow_results: what other bundles say of the same studies; results: their kind of study.

Revision 0021, after 0020.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("route", sa.String(16), nullable=True))
    op.create_table(
        "shadow_results",
        sa.Column("study_key", sa.String(16), sa.ForeignKey("studies.study_key"), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("shadow", sa.String(64), nullable=False),
        sa.Column("shadow_digest", sa.String(64), nullable=False),
        sa.Column("shadow_version", sa.Text(), nullable=False),
        sa.Column("digest_in_force", sa.String(64), nullable=False),
        sa.Column("outcome_in_force", sa.String(16), nullable=False),
        sa.Column("probability_in_force", sa.Float()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("probability", sa.Float()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.Column("host", sa.Text()),
        sa.Column("result_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint(
            "study_key", "generation", "shadow", "shadow_digest", name="pk_shadow_results"
        ),
    )
    op.create_index("ix_shadow_results_state", "shadow_results", ["state"])

"""judgements, study_values, baselines: what is said of results, and what studies measured.

Revision 0022, after 0020.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "judgements",
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("judged", sa.String(16), nullable=True),
        sa.Column("diagnosis", sa.String(16), nullable=True),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("given_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("why", sa.String(32), nullable=False),
        sa.Column("replaces", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_judgements")),
    )
    op.create_index(op.f("ix_judgements_study_key"), "judgements", ["study_key"])
    _values()


def _values() -> None:
    op.create_table(
        "study_values",
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("scanner", sa.Text(), nullable=False),
        sa.Column("sequence", sa.String(32), nullable=False),
        sa.Column("age", sa.Float(), nullable=True),
        sa.Column("sex", sa.String(16), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_key", name=op.f("pk_study_values")),
        sa.ForeignKeyConstraint(
            ["study_key"],
            ["studies.study_key"],
            name=op.f("fk_study_values_study_key_studies"),
        ),
    )
    op.create_index(op.f("ix_study_values_recorded_at"), "study_values", ["recorded_at"])
    op.create_table(
        "baselines",
        sa.Column("model_digest", sa.String(64), nullable=False),
        sa.Column("frozen_at", sa.Float(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model_digest", name=op.f("pk_baselines")),
    )

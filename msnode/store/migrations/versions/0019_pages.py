"""accounts, page_sessions, used_links, study_labels, feedback, verdicts: what the pages need.

Revision 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("results", sa.Column("urgent", sa.Boolean(), nullable=True))
    op.add_column("results", sa.Column("priority_why", sa.Text(), nullable=True))
    _access()
    op.create_table(
        "study_labels",
        sa.Column("study_key", sa.String(16), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("patient_id", "issuer", "patient_name", "name_folded")
        ),
        sa.Column("birth_date", sa.String(8), nullable=False),
        sa.Column("sex", sa.String(16), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        sa.Column("study_date", sa.String(8), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("labelled_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("study_key", name=op.f("pk_study_labels")),
        sa.ForeignKeyConstraint(
            ["study_key"],
            ["studies.study_key"],
            name=op.f("fk_study_labels_study_key_studies"),
        ),
    )
    for name in ("patient_id", "name_folded", "accession_number", "study_date"):
        op.create_index(op.f(f"ix_study_labels_{name}"), "study_labels", [name])
    _readers()


def _access() -> None:
    """Who may see the pages."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("totp_secret", sa.Text(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "page_sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("study_key", sa.String(16), nullable=True),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_page_sessions")),
    )
    for name in ("account", "seen_at"):
        op.create_index(op.f(f"ix_page_sessions_{name}"), "page_sessions", [name])
    op.create_table(
        "used_links",
        sa.Column("signature", sa.String(64), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_used_links")),
    )
    op.create_index(op.f("ix_used_links_until"), "used_links", ["until"])


def _readers() -> None:
    """What readers say of results."""
    op.create_table(
        "feedback",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("lesion", sa.Integer(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("takes_back", sa.Integer(), nullable=True),
        sa.Column("given_at", sa.Float(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_feedback")),
        sa.ForeignKeyConstraint(
            ["study_key"], ["studies.study_key"], name=op.f("fk_feedback_study_key_studies")
        ),
    )
    op.create_table(
        "verdicts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.Float(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_verdicts")),
        sa.ForeignKeyConstraint(
            ["study_key"], ["studies.study_key"], name=op.f("fk_verdicts_study_key_studies")
        ),
    )
    for name in ("feedback", "verdicts"):
        op.create_index(op.f(f"ix_{name}_study_key"), name, ["study_key"])

"""hl7_messages, orders: what is told by HL7 v2; studies: to which order they belong.

Revision 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column(
        "studies",
        sa.Column("accession_key", sa.String(32), nullable=False, server_default=""),
    )
    op.create_index(op.f("ix_studies_accession_key"), "studies", ["accession_key"])
    op.create_table(
        "hl7_messages",
        sa.Column("message_id", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("patient_key", sa.String(48), nullable=False),
        sa.Column("other_key", sa.String(48), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_hl7_messages")),
    )
    for name in ("received_at", "outcome", "patient_key", "other_key"):
        op.create_index(op.f(f"ix_hl7_messages_{name}"), "hl7_messages", [name])
    op.create_table(
        "orders",
        sa.Column("order_key", sa.String(32), nullable=False),
        sa.Column("patient_key", sa.String(48), nullable=False),
        sa.Column("accession_key", sa.String(32), nullable=False),
        sa.Column("study_key", sa.String(16), nullable=False),
        sa.Column("told_at", sa.String(14), nullable=False),
        sa.Column("stat", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("is_news", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("order_key", name=op.f("pk_orders")),
    )
    for name in ("patient_key", "accession_key", "study_key", "received_at", "is_news"):
        op.create_index(op.f(f"ix_orders_{name}"), "orders", [name])

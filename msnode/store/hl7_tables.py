"""Tables of what other systems tell by HL7 v2: the messages, and the orders in them."""

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, LargeBinary, String, Text

from msnode.store.database import metadata

__all__ = ["hl7_messages", "metadata", "orders"]

hl7_messages = sa.Table(
    "hl7_messages",
    metadata,
    # each is committed before it is acknowledged, together with what it changes
    Column("message_id", String(32), primary_key=True),  # MessageHeader.identity
    Column("digest", String(64), nullable=False),  # sha256 of the message
    Column("kind", String(16), nullable=False),  # as ORU^R01
    Column("control_id", Text, nullable=False),  # MSH-10
    Column("caller", Text, nullable=False),  # as configured
    Column("received_at", Float, nullable=False, index=True),  # unix s
    Column("outcome", String(16), nullable=False, index=True),  # as in message_log.Outcome
    Column("faults", Text, nullable=False),  # JSON, what is wrong in it; quotes nothing
    Column("patient_key", String(48), nullable=False, index=True),  # see store.patients; "" unknown
    Column("other_key", String(48), nullable=False, index=True),  # of a merge, the ID given up
    Column("content", LargeBinary),  # as it came; null where nothing of it was of use
    Column("answer", LargeBinary),  # as it was given, and is given again; null where none was
)

orders = sa.Table(
    "orders",
    metadata,
    Column("order_key", String(32), primary_key=True),  # keyed hash of its placer's number
    Column("patient_key", String(48), nullable=False, index=True),  # see store.patients
    Column("accession_key", String(32), nullable=False, index=True),  # see patients.accession_key
    Column("study_key", String(16), nullable=False, index=True),  # records.key(StudyInstanceUID)
    Column("told_at", String(14), nullable=False),  # the newest message's time, UTC; it counts
    Column("stat", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("procedure", Text, nullable=False),  # code and text
    Column("reason", Text, nullable=False),
    Column("received_at", Float, nullable=False, index=True),  # unix s
    Column("is_news", Boolean, nullable=False, index=True),  # its study may have been submitted
)

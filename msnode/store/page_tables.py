"""Tables of the pages: who may see them, how studies are found, what readers say of results."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, String, Text

from msnode.store.database import metadata

__all__ = [
    "accounts",
    "feedback",
    "metadata",
    "page_sessions",
    "study_labels",
    "used_links",
    "verdicts",
]

accounts = sa.Table(
    "accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("roles", Text, nullable=False),  # pages.access.roles, with commas
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("totp_secret", Text),  # encrypted; null: no second factor
    Column("totp_step", BigInteger),  # of the last code that was taken: none is taken twice
    Column("disabled", Boolean, nullable=False),
    Column("changed_at", Float, nullable=False),  # unix s; sessions begun before have ended
    Column("changed_by", Text, nullable=False),  # account on the host
)

page_sessions = sa.Table(
    "page_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),  # sha256 of the cookie's value
    Column("account", String(64), nullable=False, index=True),
    Column("roles", Text, nullable=False),  # with commas
    Column("via", String(16), nullable=False),  # password, oidc, proxy or link
    Column("study_key", String(16)),  # that alone it may see; null: all
    Column("began_at", Float, nullable=False),  # unix s
    Column("seen_at", Float, nullable=False, index=True),  # unix s
)

used_links = sa.Table(
    "used_links",
    metadata,
    Column("signature", String(64), primary_key=True),  # of a link that was opened
    Column("until", Float, nullable=False, index=True),  # it expires, unix s
)

study_labels = sa.Table(
    "study_labels",
    metadata,
    # what a study's images say of it, so that people find it; only where the pages show patients
    Column("study_key", ForeignKey("studies.study_key"), primary_key=True),
    Column("patient_id", Text, nullable=False, index=True),
    Column("issuer", Text, nullable=False),
    Column("patient_name", Text, nullable=False),  # PN, as it stands there
    Column("name_folded", Text, nullable=False, index=True),  # for searching
    Column("birth_date", String(8), nullable=False),  # DA; "" where there is none, as in all others
    Column("sex", String(16), nullable=False),
    Column("accession_number", Text, nullable=False, index=True),
    Column("study_date", String(8), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("labelled_at", Float, nullable=False),  # unix s
)

feedback = sa.Table(
    "feedback",
    metadata,
    # rows are only added; what was said by mistake is taken back by another row
    Column("number", Integer, primary_key=True),
    Column("study_key", ForeignKey("studies.study_key"), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # as in records.feedback
    Column("lesion", Integer),  # its number in that generation's result
    Column("place", Text),  # JSON, of a lesion that is added
    Column("note", Text, nullable=False),
    Column("takes_back", Integer),  # number of an earlier row
    Column("given_at", Float, nullable=False),  # unix s
    Column("given_by", Text, nullable=False),
    Column("reason", String(16)),  # of a rejection, as in records.feedback
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    # a reader has finished: what stood then, as a document of its own
    Column("number", Integer, primary_key=True),
    Column("study_key", ForeignKey("studies.study_key"), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("given_at", Float, nullable=False),  # unix s
    Column("given_by", Text, nullable=False),
    Column("told", Text, nullable=False),  # JSON, what stood
    # to be sent as an SR, and not handed over to the destinations yet
    Column("waiting", Boolean, nullable=False, server_default=sa.false()),
)

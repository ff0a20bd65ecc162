"""Tables of the evidence: what is said of results from outside, and each study's values."""

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, Integer, String, Text

from msnode.store.database import metadata

__all__ = ["baselines", "judgements", "metadata", "study_values"]

judgements = sa.Table(
    "judgements",
    metadata,
    # from verified SRs and CSV; what readers say by the pages is in feedback and verdicts
    Column("identity", String(64), primary_key=True),  # as in records.judgement
    Column("source", String(8), nullable=False),  # sr, csv
    Column("study_key", String(16), nullable=False, index=True),  # perhaps of no study of ours
    Column("generation", Integer, nullable=False),  # of the result that was read; 0: of none
    Column("state", String(16), nullable=False),  # as in records.judgement
    Column("judged", String(16)),
    Column("diagnosis", String(16)),
    Column("reader", String(64), nullable=False),  # pseudonym; "" where it is not told
    Column("given_at", Float, nullable=False),  # unix s
    Column("seen_at", Float, nullable=False),  # unix s
    Column("why", String(32), nullable=False),  # what is unclear, a code
    Column("replaces", Text, nullable=False),  # JSON, identities
)

study_values = sa.Table(
    "study_values",
    metadata,
    # of each study's newest result: what drift and evidence are told by
    Column("study_key", ForeignKey("studies.study_key"), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column(
        "recorded_at", Float, nullable=False, index=True
    ),  # unix s, when the study first had some
    Column("scanner", Text, nullable=False),  # manufacturer, model, field, station; "" unknown
    Column("sequence", String(32), nullable=False),  # FLAIR 2D, …; "" unknown
    Column("age", Float),  # years
    Column("sex", String(16), nullable=False),
    Column("told", Text, nullable=False),  # JSON, numbers by name, as in records.study_values
)

baselines = sa.Table(
    "baselines",
    metadata,
    # the node's own first studies, frozen: numbers that belong to nobody
    Column("model_digest", String(64), primary_key=True),  # that made them
    Column("frozen_at", Float, nullable=False),  # unix s
    Column("studies", Integer, nullable=False),
    Column("told", Text, nullable=False),  # JSON, sorted values by name, scanners by number
)

"""The table of what shadow bundles say: one row for each result and each shadow."""

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, Integer, String, Text

from msnode.store.database import metadata

__all__ = ["metadata", "shadow_results"]

shadow_results = sa.Table(
    "shadow_results",
    metadata,
    # the key makes it impossible that a study is compared twice with one bundle
    Column("study_key", ForeignKey("studies.study_key"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("shadow", String(64), primary_key=True),  # as in config.Shadow.name
    Column("shadow_digest", String(64), primary_key=True),  # of its bundle
    Column("shadow_version", Text, nullable=False),  # name and version of its bundle
    Column("digest_in_force", String(64), nullable=False),  # of the bundle that the result is of
    Column("outcome_in_force", String(16), nullable=False),  # as in results.outcome
    Column("probability_in_force", Float),  # null where it was not analysed
    Column("state", String(16), nullable=False, index=True),  # as in shadow_results.State
    Column("attempts", Integer, nullable=False),  # that were begun and did not come to their end
    Column("outcome", String(16)),  # the shadow's: present, absent, undetermined, not_analysed
    Column("probability", Float),
    Column("detail", Text, nullable=False),  # why it failed or was not analysed
    Column("seconds", Float),  # from the images to the decision
    Column("host", Text),  # that works on it, or did
    Column("result_at", Float, nullable=False),  # of the result in force, unix s
    Column("updated_at", Float, nullable=False),  # unix s
)

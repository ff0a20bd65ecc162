"""A study's path through the node: received, prepared, classified, reported, delivered.

`flow.Flow` has one method per step. `steps` says what each step needs and makes, `routes` how each
kind of study is read. Nothing here depends on the engine that makes the steps durable.
"""

from msnode.flow.flow import Flow, Stage
from msnode.flow.routes import BLOOD_SMEAR, BRAIN_MRI, Route

__all__ = ["BLOOD_SMEAR", "BRAIN_MRI", "Flow", "Route", "Stage"]

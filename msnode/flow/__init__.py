"""The way of a study: received, prepared, classified, reported, delivered.

`flow.Flow` has a method for each step, `steps` says what each needs and makes, `routes` which
studies go which way. Nothing here knows the engine that makes the steps durable.
"""

from msnode.flow.flow import Flow, Stage
from msnode.flow.routes import BRAIN_MRI, Route

__all__ = ["BRAIN_MRI", "Flow", "Route", "Stage"]

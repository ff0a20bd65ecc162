"""Whether studies or results are other than they were: pure statistics, and the frozen baseline."""

from msnode.drift.look import look
from msnode.drift.state import DriftState, Part, PartState, ValueState

__all__ = ["DriftState", "Part", "PartState", "ValueState", "look"]

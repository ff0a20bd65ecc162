"""The running node: started in a fixed order, stopped in reverse, with upkeep in between."""

from msnode.service.node import Service

__all__ = ["Service"]

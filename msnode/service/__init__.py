"""The running node: built in one order, stopped in the reverse, kept in order meanwhile."""

from msnode.service.node import Service

__all__ = ["Service"]

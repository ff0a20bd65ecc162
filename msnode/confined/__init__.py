"""What opens files from outside runs in a process of its own, under limits."""

from msnode.confined.parent import Confined

__all__ = ["Confined"]

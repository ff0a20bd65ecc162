"""Audit trail: who sent what when, what was sent where, who was turned away (PS3.15 A.5).

Unlike the log it names patients by their ID, as the standard asks; so it has a folder and a way of
its own, and never passes through the log.
"""

from msnode.audit.messages import Access, AlertType, Node, Transfer
from msnode.audit.targets import Syslog
from msnode.audit.trail import SILENT, Trail, open_trail

__all__ = ["SILENT", "Access", "AlertType", "Node", "Syslog", "Trail", "Transfer", "open_trail"]

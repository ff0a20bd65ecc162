"""Receive: the DICOM listener, the durable inbox, and when a study is complete."""

from msnode.receive.commitment import Reports
from msnode.receive.inbox import Inbox
from msnode.receive.listener import Listener

__all__ = ["Inbox", "Listener", "Reports"]

"""Receive: the listeners, the durable inbox, and when a study is complete."""

from msnode.receive.dicomweb.web_listener import WebListener
from msnode.receive.inbox.inbox import Inbox
from msnode.receive.inbox.studies import Studies
from msnode.receive.listener import Listener
from msnode.receive.mllp.mllp_listener import MllpListener
from msnode.receive.n_event_report import Reports

__all__ = ["Inbox", "Listener", "MllpListener", "Reports", "Studies", "WebListener"]

"""The configuration: what can be set, how it is read from YAML, and what it must obey."""

from msnode.config.destinations import (
    Destination,
    DicomPeer,
    Folder,
    Form,
    ObjectDestination,
    Retry,
    Tls,
    Webhook,
)
from msnode.config.loading import load, parse
from msnode.config.masking import masked
from msnode.config.models import BUNDLE, LESIONS, Classify, Expect, Outline, Priority, Urgent
from msnode.config.settings import (
    Audit,
    Caller,
    Complete,
    Config,
    Conflicts,
    Decode,
    Describe,
    Http,
    Receive,
    Retention,
    Syslog,
)
from msnode.config.web_receive import Dicomweb, WebCaller

__all__ = [
    "BUNDLE",
    "LESIONS",
    "Audit",
    "Caller",
    "Classify",
    "Complete",
    "Config",
    "Conflicts",
    "Decode",
    "Describe",
    "Destination",
    "DicomPeer",
    "Dicomweb",
    "Expect",
    "Folder",
    "Form",
    "Http",
    "ObjectDestination",
    "Outline",
    "Priority",
    "Receive",
    "Retention",
    "Retry",
    "Syslog",
    "Tls",
    "Urgent",
    "WebCaller",
    "Webhook",
    "load",
    "masked",
    "parse",
]

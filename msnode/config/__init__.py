"""The configuration: what can be set, how it is read from YAML, and what it must obey."""

from msnode.config.destinations import (
    Destination,
    DicomPeer,
    Folder,
    Form,
    Hl7Destination,
    ObjectDestination,
    Retry,
    Tls,
    Webhook,
)
from msnode.config.hl7_receive import Hl7, Hl7Caller
from msnode.config.loading import load, parse
from msnode.config.masking import masked
from msnode.config.models import BUNDLE, LESIONS, Classify, Expect, Outline, Priority, Urgent
from msnode.config.notices import Chat, Mail, Notices
from msnode.config.prior_sources import NamedSource, PeerSource, PriorSource, peer_of
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
    "Chat",
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
    "Hl7",
    "Hl7Caller",
    "Hl7Destination",
    "Http",
    "Mail",
    "NamedSource",
    "Notices",
    "ObjectDestination",
    "Outline",
    "PeerSource",
    "PriorSource",
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
    "peer_of",
]

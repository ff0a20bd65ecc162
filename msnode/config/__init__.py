"""The configuration: what can be set, how it is read from YAML, and what it must obey."""

from msnode.config.loading import load, parse
from msnode.config.masking import masked
from msnode.config.settings import (
    BUNDLE,
    Audit,
    Caller,
    Classify,
    Complete,
    Config,
    Conflicts,
    Decode,
    Describe,
    Destination,
    Form,
    Http,
    Receive,
    Retention,
    Retry,
    Syslog,
    Tls,
)

__all__ = [
    "BUNDLE",
    "Audit",
    "Caller",
    "Classify",
    "Complete",
    "Config",
    "Conflicts",
    "Decode",
    "Describe",
    "Destination",
    "Form",
    "Http",
    "Receive",
    "Retention",
    "Retry",
    "Syslog",
    "Tls",
    "load",
    "masked",
    "parse",
]

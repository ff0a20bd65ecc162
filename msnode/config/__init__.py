"""The configuration: what can be set, how it is read from YAML, and what it must obey."""

from msnode.config.authorization import (
    Authorization,
    Basic,
    Bearer,
    ClientKey,
    ClientSecret,
    OAuthClient,
)
from msnode.config.clinical_feed import ClinicalFeed, CodeOfKind, FhirReceive
from msnode.config.clinical_source import FhirSource
from msnode.config.destination import Form, ObjectDestination, Retry, Tls
from msnode.config.destinations import Destination
from msnode.config.dicom_peer import DicomPeer
from msnode.config.drift_rules import Drift
from msnode.config.fhir_patients import IssuerSystem
from msnode.config.fhir_server import FhirServer
from msnode.config.hl7_destination import Hl7Destination
from msnode.config.hl7_receive import Hl7, Hl7Caller
from msnode.config.http_server import HttpServer
from msnode.config.loading import load, parse
from msnode.config.masking import masked
from msnode.config.models import (
    BUNDLE,
    LESIONS,
    Classify,
    Expect,
    Models,
    Outline,
    Priority,
    Shadow,
    Smears,
    Urgent,
)
from msnode.config.notices import Chat, Mail, Notices
from msnode.config.pages import (
    OpenIdConnect,
    Pages,
    PageTls,
    Role,
    RoleOf,
    SignedLinks,
    TrustedProxy,
)
from msnode.config.prior_sources import (
    DicomSource,
    NamedSource,
    PeerSource,
    PriorSource,
    WebSource,
    peer_of,
)
from msnode.config.reader_reports import Feedback, ReportCode, ReportSource, ReportText
from msnode.config.result_folder import Folder
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
from msnode.config.signed_webhook import Webhook
from msnode.config.stow_server import StowServer
from msnode.config.web_receive import Dicomweb, WebCaller

__all__ = [
    "BUNDLE",
    "LESIONS",
    "Audit",
    "Authorization",
    "Basic",
    "Bearer",
    "Caller",
    "Chat",
    "Classify",
    "ClientKey",
    "ClientSecret",
    "ClinicalFeed",
    "CodeOfKind",
    "Complete",
    "Config",
    "Conflicts",
    "Decode",
    "Describe",
    "Destination",
    "DicomPeer",
    "DicomSource",
    "Dicomweb",
    "Drift",
    "Expect",
    "Feedback",
    "FhirReceive",
    "FhirServer",
    "FhirSource",
    "Folder",
    "Form",
    "Hl7",
    "Hl7Caller",
    "Hl7Destination",
    "Http",
    "HttpServer",
    "IssuerSystem",
    "Mail",
    "Models",
    "NamedSource",
    "Notices",
    "OAuthClient",
    "ObjectDestination",
    "OpenIdConnect",
    "Outline",
    "PageTls",
    "Pages",
    "PeerSource",
    "PriorSource",
    "Priority",
    "Receive",
    "ReportCode",
    "ReportSource",
    "ReportText",
    "Retention",
    "Retry",
    "Role",
    "RoleOf",
    "Shadow",
    "SignedLinks",
    "Smears",
    "StowServer",
    "Syslog",
    "Tls",
    "TrustedProxy",
    "Urgent",
    "WebCaller",
    "WebSource",
    "Webhook",
    "load",
    "masked",
    "parse",
    "peer_of",
]

"""A webhook as destination."""

from dataclasses import dataclass
from typing import ClassVar

from msnode.config.constraints import SharedSecret
from msnode.config.destination import NamedDestination
from msnode.config.http_server import HttpServer


@dataclass(frozen=True, slots=True)
class Webhook(HttpServer, NamedDestination):
    """An HTTP server that gets the result in short as signed JSON (docs/webhook.md)."""

    WHAT: ClassVar = "a webhook"
    KEY: ClassVar = "url"

    url: str
    """Gets a POST for each result."""
    secret: SharedSecret = ""
    """Key of the signature, known to the receiver; 16 characters or more."""

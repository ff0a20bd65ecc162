"""Configurations as they are written, and what is said of wrong ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from msnode import config
from msnode.errors import ConfigError

BASE = Path("/etc/msnode")
PEER = {"name": "pacs", "ae_title": "PACS", "host": "pacs"}
FOLDER = {"name": "out", "folder": "out"}
STOW = {"name": "web", "stow": "https://pacs.example.org/rs", "auth": {"bearer": "a"}}
WEBHOOK = {"name": "ris", "url": "https://ris.example.org/msnode", "secret": "0123456789abcdef"}


def problems(raw: object) -> list[str]:
    """The lines of the error that a configuration is refused with."""
    with pytest.raises(ConfigError) as caught:
        config.parse(raw, BASE)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def to(destination: Mapping[str, object], **wanted: object) -> dict[str, object]:
    """A configuration with one destination."""
    return {"destinations": [{**destination, **wanted}]}


def parsed(raw: Mapping[str, object]) -> Any:
    """The one destination of a configuration, of whatever kind."""
    (destination,) = config.parse(raw, BASE).destinations
    return destination

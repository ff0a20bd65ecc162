"""The configuration as it may be shown to others."""

import re
from pathlib import Path
from typing import Any

import cattrs

from msnode.config.settings import Config

SECRETS = frozenset({"secret", "database", "token", "password", "client_secret", "bearer"})
"""Keys of what is hidden whole; those who have the configuration have it there."""


def masked(config: Config) -> dict[str, Any]:
    """The configuration as plain values with secrets hidden, for printing."""
    masked_values: dict[str, Any] = _mask(cattrs.unstructure(config))
    masked_values["report"]["token"] = config.report.token  # stands in every SeriesDescription
    return masked_values


def _mask(value: Any) -> Any:
    """Replace every secret by stars, at any depth."""
    if isinstance(value, dict):
        return {k: "***" if k in SECRETS and v else _mask(_short(k, v)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _short(key: str, value: Any) -> Any:
    """Of the address of a webhook its host alone: its path or query may carry a key."""
    is_address = key == "url" and isinstance(value, str)
    return re.sub(r"(://[^/?#]+[/?#]).+", r"\1***", value) if is_address else value

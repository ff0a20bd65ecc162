"""The configuration as it may be shown to others."""

import re
from pathlib import Path
from typing import Any

import cattrs

from msnode.config.settings import Config

SECRETS = frozenset({"secret", "database", "token", "password", "client_secret"})


def masked(config: Config) -> dict[str, Any]:
    """The configuration as plain values with secrets hidden, for printing."""
    masked_values: dict[str, Any] = _mask(cattrs.unstructure(config))
    masked_values["report"]["token"] = config.report.token  # stands in every SeriesDescription
    return masked_values


def _mask(value: Any) -> Any:
    """Replace every secret by stars, at any depth."""
    if isinstance(value, dict):
        return {k: "***" if k in SECRETS and v else _mask(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    if isinstance(value, str):  # a webhook's address may carry a key, in its path or its query
        return re.sub(r"(://[^/?#]+[/?#]).+", r"\1***", value)
    return str(value) if isinstance(value, Path) else value

"""The evidence on which a bundle is put in force: what its shadow said before, in a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs

from msnode.errors import ConfigError
from msnode.store.files import decode, encode, replacing

FORMAT = "msnode-shadow-evidence-1"
LARGEST = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Evidence:
    """A shadow beside the bundle that was in force.

    Attributes:
        format: `FORMAT`.
        shadow: its name.
        version: name and version of its bundle.
        digest: of its bundle.
        digest_in_force: of the bundle that it was compared with.
        compared: number of studies.
        made_at: unix s.
        made_by: account on the host.
        report: all that `msnode shadow report` tells of the two.
    """

    format: str
    shadow: str
    version: str
    digest: str
    digest_in_force: str
    compared: int
    made_at: float
    made_by: str
    report: dict[str, Any]


def write_evidence(evidence: Evidence, path: Path) -> None:
    """Write it, durably and for people to read."""
    content = json.loads(encode(evidence))
    with replacing(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read_evidence(path: Path) -> Evidence:
    """Read what `write_evidence` wrote.

    Raises:
        ConfigError: it is not there, or something else.
    """
    again = "write it with msnode shadow evidence, or delete classify.evidence"
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"classify.evidence: {path} is too large to be one; {again}")
        evidence = decode(path.read_bytes(), Evidence)
    except OSError as error:
        raise ConfigError(f"classify.evidence: {path}: {error.strerror}; {again}") from error
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise ConfigError(f"classify.evidence: {path} is no evidence; {again}") from error
    if evidence.format != FORMAT:
        raise ConfigError(f"classify.evidence: {path} is of another version; {again}")
    return evidence


def verify_evidence(path: Path, digest: str) -> Evidence:
    """Evidence of the bundle in force.

    Args:
        path: classify.evidence.
        digest: of the bundle in force.

    Raises:
        ConfigError: it cannot be read, or is of another bundle.
    """
    evidence = read_evidence(path)
    if evidence.digest != digest:
        raise ConfigError(
            f"classify.evidence: {path} is of {evidence.version} ({evidence.digest[:12]}…), but "
            f"the bundle in force is {digest[:12]}…; name the bundle that was compared, or the "
            "evidence of this one"
        )
    if not evidence.compared:
        raise ConfigError(f"classify.evidence: {path} tells of no study that was compared")
    return evidence

"""From a YAML file to the settings; every mistake is named at once, with its key and the fix."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msnode.config.reading import Reader
from msnode.config.rules import contradictions
from msnode.config.settings import Config
from msnode.config.tls_files import unreadable
from msnode.errors import ConfigError
from msnode.store.yaml_files import read_yaml


def load(path: Path, *, files: bool = False) -> Config:
    """Read a YAML file.

    Args:
        path: of the file.
        files: where it has mistakes, name also the TLS files that cannot be read.

    Raises:
        ConfigError: lists every problem at once, each with its key and the fix.
    """
    return parse(read_yaml(path), path.resolve().parent, files=files)


def parse(raw: Any, base: Path, *, files: bool = False) -> Config:
    """Turn the parsed YAML into a Config; relative paths count from ``base``.

    Raises:
        ConfigError: lists every problem at once, each with its key and the fix.
    """
    reader = Reader(base)
    config: Config = reader.read(Config, raw, "")
    told = [key for key, _ in reader.problems]
    problems = [f"{key or 'the file'}: {what}" for key, what in reader.problems]
    problems += _news(contradictions(config), told)
    if problems and files:
        problems += _news(unreadable(config), told)
    if problems:
        raise ConfigError("the configuration has errors:\n  " + "\n  ".join(problems))
    return config


def _news(lines: Iterator[str], told: list[str]) -> Iterator[str]:
    """Those lines that are about what the file says, not about what stands in for a mistake."""
    return (line for line in lines if not any(_is_about(line, key) for key in told))


def _is_about(line: str, key: str) -> bool:
    """Whether a line is about a setting: its own, one inside of it, or it names it."""
    subject = line.partition(":")[0]
    if not key or f"{subject}.".startswith(f"{key}."):
        return True
    section, _, name = key.rpartition(".")
    named = name if subject.rpartition(".")[0] == section else key
    return re.search(rf"(?<![\w.]){re.escape(named)}(?![\w.])", line) is not None

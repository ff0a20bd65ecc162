"""A configuration as rows of key, value and default, without secrets."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any

from msnode.config import Config, masked


@dataclass(frozen=True, slots=True)
class Setting:
    """One of them.

    Attributes:
        key: within its section, as ``tls.certificate``.
        value: as text, masked.
        default: as text; None where there is none, or the value is the default.
    """

    key: str
    value: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together; the first section has those of no section."""

    name: str
    settings: tuple[Setting, ...]

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from its default."""
        return any(one.default is not None for one in self.settings)


def sections(config: Config) -> list[Section]:
    """All settings that are in force."""
    shown = masked(config)
    found: dict[str, list[Setting]] = {"": []}
    for one in fields(config):
        value, told = getattr(config, one.name), shown[one.name]
        if is_dataclass(value):
            found[one.name] = list(_rows(value, told, ""))
        elif isinstance(value, tuple) and value:
            found[one.name] = [
                row
                for i, (entry, said) in enumerate(zip(value, told, strict=True))
                for row in _rows(entry, said, f"{getattr(entry, 'name', i)}.")
            ]
        else:
            found[""].append(_setting(one.name, value, told, one))
    return [Section(name, tuple(rows)) for name, rows in found.items()]


def _rows(section: Any, told: dict[str, Any], prefix: str) -> Iterator[Setting]:
    """The settings of a section, of sections in it, and of lists in it."""
    for one in fields(section):
        value, said, key = getattr(section, one.name), told[one.name], f"{prefix}{one.name}"
        if is_dataclass(value) and isinstance(said, dict):
            yield from _rows(value, said, f"{key}.")
        elif isinstance(value, tuple) and any(map(is_dataclass, value)):
            for i, (entry, mine) in enumerate(zip(value, said, strict=True)):
                yield from _rows(entry, mine, f"{key}.{i}.")
        else:
            yield _setting(key, value, said, one)


def _setting(key: str, value: Any, said: Any, of: Field[Any]) -> Setting:
    default = of.default
    if of.default_factory is not MISSING:
        default = of.default_factory()
    differs = default is not MISSING and default != value
    return Setting(key, _text(said), _text(default) if differs else None)


def _text(value: Any) -> str:
    """As in a file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "[]"
    return str(value) if str(value) else '""'

"""From what YAML gives to the settings, in one pass that stops at no mistake.

What is wrong is told with its key, and something sound stands in its place, so that all the rest
can be examined, too.
"""

import itertools
import os
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from msnode.config.authorization import AUTHORIZATION_KEYS, GIVE_AUTHORIZATION, Authorization
from msnode.config.constraints import hint
from msnode.config.destinations import GIVE, KEYS, Destination
from msnode.config.prior_sources import GIVE_SOURCE, SOURCE_KEYS, PriorSource

WRONG = (TypeError, ValueError, OverflowError)
"""What a value of the wrong kind provokes."""

_numbers = itertools.count()


ANY_PEER = {"ae_title": "ANY"}


class Kinds(NamedTuple):
    """The kinds of one thing, told apart by the key that only one has.

    Attributes:
        by_key: which kind a key makes it.
        usual: the key of the kind that stands in where that is not told.
        give: what the file should have.
        rest: what else the usual kind needs.
    """

    by_key: dict[str, Any]
    usual: str
    give: str
    rest: dict[str, str]


UNIONS: tuple[tuple[Any, Kinds], ...] = (
    (Destination, Kinds(KEYS, "host", GIVE, ANY_PEER)),
    (PriorSource, Kinds(SOURCE_KEYS, "host", GIVE_SOURCE, ANY_PEER)),
    (Authorization, Kinds(AUTHORIZATION_KEYS, "bearer", GIVE_AUTHORIZATION, {})),
)


class Reader:
    """Converts nothing silently: no text to numbers, no text to a list of its letters.

    Args:
        base: the folder from which relative paths count.

    Attributes:
        problems: key and what is wrong with it, in the order of the settings.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self.problems: list[tuple[str, str]] = []

    def read(self, kind: Any, value: Any, where: str, default: Any = MISSING) -> Any:
        """A value of a kind; where it is none, that is told, and the default stands in for it.

        Args:
            kind: a type, as a setting is annotated with it.
            value: what the file has.
            where: its key, with those of the sections around it.
            default: None of its own: something that any rule takes.
        """
        try:
            return self._way(kind)(kind, value, where)
        except WRONG as error:
            self._tell(where, str(error))
        return self._stand_in(kind) if default is MISSING else default

    def _tell(self, where: str, what: str) -> None:
        self.problems.append((where, what))

    def _way(self, kind: Any) -> Callable[[Any, Any, str], Any]:
        """The method that reads this kind."""
        if _kinds(kind) is not None:
            return self._one_of
        if is_dataclass(kind):
            return self._section
        ways: dict[Any, Callable[[Any, Any, str], Any]] = {
            Annotated: self._inner,
            Literal: _choice,
            UnionType: self._optional,
            Union: self._optional,
            tuple: self._list,
        }
        return ways.get(get_origin(kind), self._plain)

    def _inner(self, kind: Any, value: Any, where: str) -> Any:
        """What is annotated; the rules are asked later."""
        inner = get_args(kind)[0]
        return self._way(inner)(inner, value, where)

    def _optional(self, kind: Any, value: Any, where: str) -> Any:
        """Nothing, or a value."""
        inner = reduce(or_, (each for each in get_args(kind) if each is not NoneType))
        return None if value is None else self._way(inner)(inner, value, where)

    def _plain(self, kind: Any, value: Any, _: str) -> Any:
        """A number, a text, a switch or a path."""
        return self._base / _path(value) if kind is Path else _strict(value, kind)

    def _list(self, kind: Any, value: Any, where: str) -> tuple[Any, ...]:
        """A list, or nothing at all where every item is commented out."""
        if not isinstance(value, list | None):
            raise TypeError(f"must be a list, not {type(value).__name__}; begin each item with -")
        item = get_args(kind)[0]
        return tuple(self.read(item, each, f"{where}.{i}") for i, each in enumerate(value or []))

    def _section(self, kind: Any, value: Any, where: str) -> Any:
        """Keys with values, or nothing at all where everything is commented out."""
        if not isinstance(value, dict | None):
            raise TypeError(f"must be keys with values, not {type(value).__name__}")
        given, before = value or {}, f"{where}." if where else ""
        known = {field.name: field for field in fields(kind)}
        values = {
            name: self._setting(kind, field, given, before + name) for name, field in known.items()
        }
        for name in sorted(map(str, given.keys() - known.keys())):
            self._tell(before + name, _odd(name, kind))
        return kind(**values)

    def _setting(self, kind: Any, field: "Field[Any]", given: dict[Any, Any], where: str) -> Any:
        """One setting of a section."""
        hinted, default = _hints(kind)[field.name], _default(field)
        if field.name in given:
            return self.read(hinted, given[field.name], where, default)
        if default is MISSING:
            self._tell(where, "missing; give it a value")
            return self._stand_in(hinted)
        return default

    def _one_of(self, union: Any, value: Any, where: str) -> Any:
        """One of several kinds, told by the key that only it has."""
        kinds = _kinds(union)
        assert kinds is not None  # noqa: S101 - as `_way` has seen
        if not isinstance(value, dict):  # of which any section says what it should be
            return self._section(kinds.by_key[kinds.usual], value or [], where)
        given = {key: known for key, known in value.items() if known is not None}
        found = [kind for key, kind in kinds.by_key.items() if key in given]
        if len(found) == 1:
            return self._section(found[0], given, where)
        self._tell(where, f"give {kinds.give}")
        rest = {key: known for key, known in given.items() if key not in kinds.by_key}
        return self._usual(kinds, rest, where)

    def _usual(self, kinds: Kinds, given: dict[str, Any], where: str) -> Any:
        """What stands in where a kind is not told."""
        values = {**kinds.rest, **given, kinds.usual: _any()}
        return self._section(kinds.by_key[kinds.usual], values, where)

    def _stand_in(self, kind: Any) -> Any:
        """Something that is in order and like nothing else in the file."""
        origin = get_origin(kind)
        if (kinds := _kinds(kind)) is not None:
            return Reader(self._base)._usual(kinds, {}, "")
        if is_dataclass(kind):
            return Reader(self._base).read(kind, {}, "")
        if origin is Annotated:
            return self._stand_in(get_args(kind)[0])
        if origin is Literal:
            return get_args(kind)[0]
        return self._base / _any() if kind is Path else _any()


def _kinds(kind: Any) -> Kinds | None:
    """The kinds of a union; None for any other annotation."""
    return next((kinds for union, kinds in UNIONS if kind == union), None)


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The annotations of a section's settings, with their rules."""
    return get_type_hints(kind, include_extras=True)


def _default(field: "Field[Any]") -> Any:
    """A setting's default; MISSING where it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _any() -> str:
    """A word that can be a name, an AE title or a host, and is not used yet."""
    return f"any{next(_numbers)}"


def _strict(value: Any, kind: type) -> Any:
    """Take no value of another type, except a whole number for a float."""
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and type(value) is not str:  # which may be a secret: it is not repeated
        raise TypeError(f"must be str, not {type(value).__name__}; put it in quotes")
    if type(value) is not kind:
        raise TypeError(f"must be {kind.__name__}, not {type(value).__name__} {value!r}")
    return _expanded(str(value)) if kind is str else value


def _path(value: Any) -> str:
    """Take only what the file system can be asked for."""
    text: str = _strict(value, str)
    if "\0" in text:
        raise ValueError("holds a NUL character, which no path does; delete it")
    os.fsencode(text)  # as does a surrogate, of which this says so
    return text


def _expanded(text: str) -> str:
    """Environment variables filled in; what they hold is not looked at again."""
    for match in re.finditer(r"\$(\w+|\{\w+\})", text, re.ASCII):
        if (name := match[1].strip("{}")) not in os.environ:
            raise ValueError(f"the environment variable {name} is not set; set it")
    return os.path.expandvars(text)


def _choice(kind: Any, value: Any, _: str) -> Any:
    """One of the given words."""
    known = get_args(kind)
    if value not in known:
        raise ValueError(f"{value!r} is unknown; {hint(str(value), known)}")
    return value


def _odd(name: str, kind: Any) -> str:
    """Why a section has no such key: it is another kind's, or nobody's."""
    for _, kinds in UNIONS:
        others = {field.name for each in kinds.by_key.values() for field in fields(each)}
        if kind in kinds.by_key.values() and name in others:
            return f"does nothing for {kind.WHAT}; delete it"
    return f"unknown key; {hint(name, [field.name for field in fields(kind)])}"

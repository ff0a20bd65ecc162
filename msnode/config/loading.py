"""From YAML to the settings; every mistake is named at once, with its key and the fix."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal, get_args, get_origin

import cattrs
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from msnode.config.constraints import hint
from msnode.config.destinations import KEYS, Destination, DicomPeer
from msnode.config.rules import contradictions
from msnode.config.settings import Config
from msnode.errors import ConfigError
from msnode.store.yaml_files import read_yaml

Hook = Callable[[Any, Any], Any]


def load(path: Path) -> Config:
    """Read a YAML file.

    Raises:
        ConfigError: lists every problem at once, each with its key and the fix.
    """
    return parse(read_yaml(path), path.resolve().parent)


def parse(raw: Any, base: Path) -> Config:
    """Turn the parsed YAML into a Config; relative paths count from ``base``.

    Raises:
        ConfigError: lists every problem at once, each with its key and the fix.
    """
    converter = _converter(base)
    problems: list[str] = []
    try:
        config = converter.structure(raw, Config)
    except (cattrs.BaseValidationError, TypeError) as error:
        problems += _problems(error, "")
        config = converter.structure(_sound(raw, problems), Config)
    problems += contradictions(config)
    if problems:
        raise ConfigError("the configuration has errors:\n  " + "\n  ".join(problems))
    return config


def _sound(raw: Any, problems: list[str]) -> dict[str, Any]:
    """The sections without a problem, so that these can be examined further."""
    wrong = {re.split(r"[.:]", problem)[0] for problem in problems}
    sound = {field.name for field in fields(Config)} - wrong  # unknown keys may hold a dot
    return {k: v for k, v in raw.items() if k in sound} if isinstance(raw, dict) else {}


def _converter(base: Path) -> cattrs.Converter:
    """Converts nothing silently: no text to numbers, no text to a list of its letters."""
    converter = cattrs.Converter()
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook(Path, lambda value, _: base / _path(value))
    converter.register_structure_hook_factory(_made_of(Literal), _choice)
    converter.register_structure_hook_factory(_made_of(tuple), lambda k: _list(k, converter))
    converter.register_structure_hook_factory(is_dataclass, lambda k: _section(k, converter))
    converter.register_structure_hook(Destination, _destination(converter))
    return converter


def _made_of(origin: Any) -> Callable[[Any], bool]:
    """Whether a type is a parametrized one of this kind."""
    return lambda kind: get_origin(kind) is origin


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


def _choice(kind: Any) -> Hook:
    """Takes one of the given words."""
    known = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        if value not in known:
            raise ValueError(f"{value!r} is unknown; {hint(str(value), known)}")
        return value

    return structure


def _section(kind: type, converter: cattrs.Converter) -> Hook:
    """Takes keys with values, or nothing at all where everything is commented out."""
    inner: Hook = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict | None):
            raise TypeError(f"must be keys with values, not {type(value).__name__}")
        return inner(value or {}, kind)

    return structure


def _destination(converter: cattrs.Converter) -> Hook:
    """Takes one of the kinds of destination, told by the key that only it has."""

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            return converter.structure(value, DicomPeer)  # which says what it should be
        given = {key: known for key, known in value.items() if known is not None}
        kinds = [kind for key, kind in KEYS.items() if key in given]
        if len(kinds) == 1:
            return converter.structure(given, kinds[0])
        why = "give either ae_title, host and port, or folder, or url and secret"
        problems: list[Exception] = [TypeError(why)]
        try:
            rest = {key: known for key, known in given.items() if key not in KEYS}
            converter.structure({"ae_title": "ANY", **rest, "host": "any"}, DicomPeer)
        except ExceptionGroup as others:
            problems += others.exceptions
        raise ExceptionGroup("a destination", problems)

    return structure


def _list(kind: Any, converter: cattrs.Converter) -> Hook:
    """Takes a list, or nothing at all where every item is commented out."""
    items = GenericAlias(list, get_args(kind)[:1])
    inner = converter.get_structure_hook(items)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list | None):
            raise TypeError(f"must be a list, not {type(value).__name__}; begin each item with -")
        return tuple(inner(value or [], items))

    return structure


def _problems(error: BaseException, where: str) -> Iterator[str]:
    """Every leaf of a cattrs error tree as one line."""
    if isinstance(error, ForbiddenExtraKeysError):
        for name in sorted(map(str, error.extra_fields)):
            yield f"{where}{name}: {_odd(name, error.cl)}"
    elif isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _problems(inner, where + _step(inner))
    elif isinstance(error, KeyError):
        yield f"{where.rstrip('.')}: missing; give it a value"
    else:
        yield f"{where.rstrip('.') or 'the file'}: {error}"


def _odd(name: str, kind: type) -> str:
    """Why a section has no such key: it is another kind of destination's, or nobody's."""
    others = {field.name for each in KEYS.values() for field in fields(each)}
    if kind in KEYS.values() and name in others:
        return f"does nothing for {kind.WHAT}; delete it"  # type: ignore[attr-defined]
    known = [field.name for field in fields(kind)] if is_dataclass(kind) else []
    return f"unknown key; {hint(name, known)}"


def _step(error: BaseException) -> str:
    """The key or index that cattrs noted on an error, as the next part of its path."""
    for note in getattr(error, "__notes__", ()):
        if match := re.search(r"attribute (\w+)|@ index (\d+)", note):
            return f"{match[1] or match[2]}."
    return ""

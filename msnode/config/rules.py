"""Finds what the settings contradict: the rules at the fields, and those of a section as a whole.

A field's rule is in its annotation, see `constraints`; a section's is its method
``contradictions``, which yields "key: what is wrong; the fix".
"""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from msnode.config.constraints import Rule


def contradictions(section: Any, where: str = "") -> Iterator[str]:
    """Values outside their range, or right alone but not together; one line each.

    Args:
        section: the configuration, or a part of it.
        where: the beginning of its keys: ``receive.callers.0.``.
    """
    for name, kind in get_type_hints(type(section), include_extras=True).items():
        yield from _of_value(kind, getattr(section, name), where + name)
    for problem in getattr(section, "contradictions", _nothing)():
        yield where + problem


def _of_value(kind: Any, value: Any, where: str) -> Iterator[str]:
    """What is wrong with one value, which may be a list or a section."""
    if is_dataclass(value):
        yield from contradictions(value, f"{where}.")
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _of_value(get_args(kind)[0], item, f"{where}.{i}")
    elif value is not None:
        wrong = (rule(value) for rule in rules_of(kind))
        yield from (f"{where}: {problem}" for problem in wrong if problem is not None)


def rules_of(kind: Any) -> Iterator[Rule]:
    """The rules in an annotation, those of a union's members included."""
    for each in (kind, *get_args(kind)):
        yield from getattr(each, "__metadata__", ())


def _nothing() -> Iterator[str]:
    """Of a section without rules."""
    return iter(())

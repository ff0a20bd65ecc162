"""YAML from people, read within bounds and without quoting what it holds.

An error names the place but never the text there, which may be a secret; a file that would grow
without end when its aliases are followed, or nests without end, is refused.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from msnode.errors import ConfigError

LARGEST = 1 << 20
"""Bytes of a file; a configuration has some thousands."""
MOST_NODES = 100_000
"""Values, those behind aliases counted each time."""
DEEPEST = 50
LONGEST_INT = 64
"""Bits of a whole number; one of thousands of digits cannot even be written in an error."""


class _Loader(yaml.SafeLoader):
    """Takes no key twice, of which PyYAML would silently use the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []  # not behind every tag
        keys = Counter(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))
        for key in (key for key, count in keys.items() if count > 1):
            why = f"the key {key!r} is there twice; put both together"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """One value; PyYAML lets through what Python says of one that is not what it seems."""
        why = "this is no date, number or other value of its kind; put text in quotes"
        try:
            value = super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark) from None
        if isinstance(value, int) and value.bit_length() > LONGEST_INT:
            why = f"this number has more than {LONGEST_INT} bits; take a smaller one"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)
        return value


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, as plain values.

    Raises:
        ConfigError: it cannot be read, or is too large; names the file and the place.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > LARGEST:
            raise ConfigError(f"{path}: cannot be read: it is larger than {LARGEST >> 20} MiB")
        return _values(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}: cannot be read: {_told(error)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: cannot be read: it nests deeper than {DEEPEST}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ConfigError(f"{path}: cannot be read: {why}") from None


def _values(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}, 0) > MOST_NODES:
            raise yaml.constructor.ConstructorError(
                None, None, "its aliases stand for too many values", node.start_mark
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Values in a node, those behind aliases each time; each node is looked at once."""
    if depth > DEEPEST:
        raise RecursionError
    if id(node) not in known:
        known[id(node)] = MOST_NODES + 1  # should it hold itself
        inner = [] if isinstance(node, yaml.ScalarNode) else node.value
        parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
        size = 1 + sum(_size(part, known, depth + 1) for part in parts)
        known[id(node)] = min(size, MOST_NODES + 1)
    return known[id(node)]


def _told(error: yaml.MarkedYAMLError) -> str:
    """What is wrong and where, without the line, which may hold a secret."""
    mark = error.problem_mark or error.context_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{error.problem or error.context}{where}"

"""Whatever a configuration holds, it is a Config or an error for people: never a traceback."""

import contextlib
import datetime
import random
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from msnode import config
from msnode.config.destinations import KEYS
from msnode.config.masking import masked
from msnode.errors import ConfigError
from tests.configs import BASE, FOLDER, PEER, STOW, WEBHOOK

SECTIONS = ("receive", "complete", "decode", "classify", "report", "http", "retention", "audit")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.binary(max_size=4)
    | st.dates()
    | st.sampled_from(["keep", "auto", "cpu", "PACS", "10.0.0.0/8", "$HOME", "$NONE_OF_THIS", "~"])
    | st.sampled_from([10**400, -1, 0, 1, 104, 5.0, datetime.datetime(2026, 1, 1)])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=5,
)


def keys(kind: type[Any]) -> list[str]:
    """The settings of a section."""
    return [field.name for field in fields(kind)]


def _somewhat(known: list[str], inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A section with some of its keys, mostly, and anything behind them."""
    return st.dictionaries(st.sampled_from(known) | st.text(max_size=3), inner, max_size=4)


KINDS = sorted({name for kind in KEYS.values() for name in keys(kind)})
DESTINATIONS = st.builds(
    lambda good, wrong: {**good, **wrong},
    st.sampled_from([PEER, FOLDER, WEBHOOK, STOW]),
    _somewhat(KINDS, VALUES),
)
"""Good destinations of any kind, with some of their values replaced by anything."""
CONFIGURATIONS = st.builds(
    lambda whole, sections, some: {**whole, **sections, **some},
    _somewhat(keys(config.Config), VALUES),
    st.fixed_dictionaries(
        {},
        optional={
            name: _somewhat(keys(type(getattr(config.Config(), name))), VALUES) for name in SECTIONS
        },
    ),
    st.fixed_dictionaries({}, optional={"destinations": st.lists(DESTINATIONS, max_size=3)}),
)
"""What resembles a configuration, in part."""


def is_explained(raw: Any) -> bool:
    """Parse it; where it is refused, every problem has its line. False where it was taken."""
    try:
        config.parse(raw, BASE)
    except ConfigError as error:
        first, *lines = str(error).splitlines()
        assert first == "the configuration has errors:"
        assert lines
        return True
    return False


@settings(max_examples=100)
@given(VALUES | CONFIGURATIONS)
@example({"destinations": [{"name": "a", "folder": "a\0b"}]})
@example({"destinations": [{"name": "a", "folder": "\ud800"}]})
@example({"data": "a\0b"})
@example({"receive.port": 104})
@example({"data": "a\0b", "destinations": [FOLDER]})
@example({"receive": {"max_pdu": 10**400, "min_free_bytes": 10**400}})
@example({"complete": {"quiet_s": 10**400}})
def test_any_structure_is_a_configuration_or_an_error(raw: Any) -> None:
    is_explained(raw)


PIECES = st.sampled_from(
    ["receive:", "\n", "  ", "- ", "{", "}", "[", "]", ": ", ", ", "&a ", "*a", "!!int ",
     "!!float ", "!!binary ", "!!timestamp ", "!!set ", "!!omap ", "!!str ", "? ", "<<: ", "'", '"',
     "|\n", "#", "=", "~", "0x" + "f" * 5000, "9" * 5000, "2026-13-45", "2026-01-01T99:00:00Z",
     "190:20:30", ".nan", "1e999", "port", "http: ", "\\ud800", "\\0", "\t",
     "%YAML 1.1\n", "---\n", "...\n"]
)  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join))
@example("http: {port: " + "9" * 5000 + "}")
@example("http: {port: 0x" + "f" * 5000 + "}")
@example("0x" + "f" * 5000 + ": 1")
@example("name: 2026-13-45")
@example("name: !!int abc")
@example("name: !!timestamp abc")
@example("name: !!float ''")
@example("name: !!bool abc")
@example("? {a: b}\n: c")
def test_any_file_is_a_configuration_or_an_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigError):
        config.load(file)


def written(value: Any) -> Any:
    """Settings as they are written in a file."""
    if isinstance(value, tuple):
        return [written(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: written(getattr(value, field.name)) for field in fields(value)}
    return str(value) if isinstance(value, Path) else value


def test_the_defaults_written_out_are_the_defaults() -> None:
    raw = yaml.safe_load(yaml.safe_dump(written(config.Config())))
    assert config.parse(raw, BASE) == config.Config()


@st.composite
def accepted(draw: st.DrawFn) -> config.Config:
    """Configurations that are in order, with every kind of destination."""
    seconds = sorted(draw(st.lists(st.floats(0.1, 1e6), min_size=3, max_size=3)))
    some = draw(st.lists(st.sampled_from([PEER, FOLDER, WEBHOOK]), unique_by=lambda d: d["name"]))
    raw = {
        "complete": dict(zip(("quiet_s", "idle_s", "cap_s"), seconds, strict=True)),
        "receive": {
            "port": draw(st.integers(0, 65535)),
            "conflicts": draw(st.sampled_from(["keep", "refuse", "replace"])),
            "callers": [{"ae_title": draw(st.from_regex(r"[A-Z]{1,16}", fullmatch=True))}],
        },
        "destinations": some,
        "retention": {"images_days": draw(st.none() | st.floats(0.1, 36500))},
    }
    return config.parse(raw, BASE)


@settings(max_examples=30)
@given(accepted())
def test_a_configuration_written_out_is_the_same(given: config.Config) -> None:
    raw = yaml.safe_load(yaml.safe_dump(written(given)))
    assert config.parse(raw, BASE) == given
    assert "0123456789abcdef" not in str(masked(given))


def mistakes() -> Iterator[tuple[str, Any]]:
    """A wrong value for every setting that is a number or one of some words."""
    for name in SECTIONS:
        section = getattr(config.Config(), name)
        for field in fields(section):
            if isinstance(getattr(section, field.name), int | float):
                yield f"{name}.{field.name}", {name: {field.name: "no number"}}


@pytest.mark.parametrize("seed", range(5))
def test_of_several_mistakes_each_is_said(seed: int) -> None:
    chosen = random.Random(seed).sample(sorted(mistakes(), key=lambda each: each[0]), 4)
    raw: dict[str, dict[str, Any]] = {}
    for _, mistake in chosen:
        for name, settings_ in mistake.items():
            raw.setdefault(name, {}).update(settings_)
    with pytest.raises(ConfigError) as caught:
        config.parse(raw, BASE)
    for key, _ in chosen:
        assert f"{key}: must be" in str(caught.value)

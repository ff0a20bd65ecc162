"""YAML from people: bounded, and nothing of it is quoted."""

from pathlib import Path

import pytest

from msnode.errors import ConfigError
from msnode.store.yaml_files import LARGEST, read_yaml


def refusal(path: Path, text: str) -> str:
    """What is said of a file with this text."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "msnode.yaml"


def test_an_unclosed_quote_does_not_show_the_secret(file: Path) -> None:
    said = refusal(file, 'destinations:\n  - secret: "hush-hush-hush\n    url: https://ris/\n')
    assert "hush" not in said
    assert "line" in said


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000])
def test_what_nests_without_end_is_refused(file: Path, text: str) -> None:
    assert "msnode.yaml: cannot be read" in refusal(file, text)


def test_an_alias_bomb_is_refused_before_it_bursts(file: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases stand for too many values" in refusal(file, "\n".join(lines))


def test_a_value_that_holds_itself_is_refused(file: Path) -> None:
    assert "aliases stand for too many values" in refusal(file, "a: &a [*a]")


def test_a_huge_file_is_refused(file: Path) -> None:
    assert "larger than 1 MiB" in refusal(file, "a" * (LARGEST + 1))


def test_aliases_have_their_use(file: Path) -> None:
    file.write_text("a: &tls {ca: x}\nb: *tls\n")
    assert read_yaml(file) == {"a": {"ca": "x"}, "b": {"ca": "x"}}
    file.write_text("")
    assert read_yaml(file) is None

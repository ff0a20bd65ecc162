from dataclasses import fields
from pathlib import Path

import pytest

from msnode import config
from msnode.errors import ConfigError

BASE = Path("/etc/msnode")


def problems(raw: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(raw, BASE)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_an_empty_file_is_a_whole_configuration() -> None:
    assert config.parse({}, BASE) == config.Config()


def test_relative_paths_count_from_the_file() -> None:
    parsed = config.parse({"data": "var", "destinations": [{"name": "a", "folder": "out"}]}, BASE)
    assert parsed.data == BASE / "var"
    assert parsed.destinations[0].folder == BASE / "out"


def test_an_unknown_key_names_the_nearest() -> None:
    assert problems({"recieve": {}}) == ['recieve: unknown key; did you mean "receive"?']


def test_all_errors_come_at_once_each_with_its_key() -> None:
    found = problems(
        {
            "receive": {"port": "eleven", "callers": [{"ae_titel": "CT1"}]},
            "complete": {"quiet_s": "soon"},
            "destinations": [{"name": "pacs", "port": True}],
        }
    )
    assert "receive.port: must be int, not str 'eleven'" in found
    assert "receive.callers.0.ae_title: missing; give it a value" in found
    assert 'receive.callers.0.ae_titel: unknown key; did you mean "ae_title"?' in found
    assert "complete.quiet_s: must be float, not str 'soon'" in found
    assert "destinations.0.port: must be int, not bool True" in found


def test_a_whole_number_is_a_duration() -> None:
    assert config.parse({"complete": {"quiet_s": 3}}, BASE).complete.quiet_s == 3.0


@pytest.mark.parametrize("title", ["", " ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "ÜMLAUT"])
def test_ae_titles_follow_the_standard(title: str) -> None:
    assert any("is no AE title" in line for line in problems({"receive": {"ae_title": title}}))


@pytest.mark.parametrize(
    "destination",
    [
        {"name": "neither"},
        {"name": "both", "folder": "out", "ae_title": "PACS", "host": "pacs"},
        {"name": "half", "ae_title": "PACS"},
    ],
)
def test_a_destination_is_a_peer_or_a_folder(destination: dict[str, str]) -> None:
    assert any("destinations.0" in line for line in problems({"destinations": [destination]}))


def test_destinations_need_different_names() -> None:
    twice = [{"name": "pacs", "folder": "a"}, {"name": "pacs", "folder": "b"}]
    assert any("used twice" in line for line in problems({"destinations": twice}))


def test_secrets_are_masked() -> None:
    parsed = config.parse({"database": "postgresql://u:hush@db/msnode"}, BASE)
    assert "hush" not in str(config.masked(parsed))


def test_the_environment_fills_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_HOST", "pacs.example.org")
    peer = {"name": "pacs", "ae_title": "PACS", "host": "$PACS_HOST"}
    assert config.parse({"destinations": [peer]}, BASE).destinations[0].host == "pacs.example.org"


def test_a_broken_file_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_text("receive: [")
    with pytest.raises(ConfigError, match=r"msnode\.yaml: cannot be read"):
        config.load(file)


def test_sections_are_frozen() -> None:
    parsed = config.Config()
    with pytest.raises(AttributeError):
        parsed.receive.port = 1  # type: ignore[misc]
    assert {field.name for field in fields(parsed)} >= {"receive", "destinations", "http"}

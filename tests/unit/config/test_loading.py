"""From YAML to settings, with every mistake said."""

from dataclasses import fields
from pathlib import Path

import pytest

from msnode import config
from msnode.errors import ConfigError
from tests.configs import BASE, PEER, WEBHOOK, parsed, problems, to


def test_an_empty_file_is_a_whole_configuration() -> None:
    assert config.parse({}, BASE) == config.Config()


def test_a_section_with_everything_commented_out_is_the_default() -> None:
    nothing = {"receive": None, "complete": None, "destinations": None}
    assert config.parse(nothing, BASE) == config.Config()
    assert config.parse(None, BASE) == config.Config()


def test_relative_paths_count_from_the_file() -> None:
    raw = {"data": "var", "destinations": [{"name": "a", "folder": "out"}]}
    assert config.parse(raw, BASE).data == BASE / "var"
    assert parsed(raw).folder == BASE / "out"


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


def test_types_do_not_hide_ranges() -> None:
    found = problems({"http": {"port": "x"}, "complete": {"quiet_s": -1}})
    assert [line.split(":")[0] for line in found] == ["http.port", "complete.quiet_s"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], "the file: must be keys with values, not list"),
        ({"receive": []}, "receive: must be keys with values, not list"),
        ({"receive": {"accept": "CT"}},
         "receive.accept: must be a list, not str; begin each item with -"),
        ({"destinations": {"name": "a"}},
         "destinations: must be a list, not dict; begin each item with -"),
        ({"data": 5}, "data: must be str, not int; put it in quotes"),
        ({"report": {"language": "it"}},
         "report.language: 'it' is unknown; known: en, de, fr, es, nl"),
        ({"classify": {"device": "cudda"}},
         "classify.device: 'cudda' is unknown; did you mean \"cuda\"?"),
        ({5: 1}, "5: unknown key; known: data, database, name, receive, complete, decode, "
         "models, classify, lesions, priority, expect, report, destinations, priors, clinical, "
         "feedback, drift, http, pages, notices, retention, audit, log"),
    ],
)  # fmt: skip
def test_another_shape_is_said(raw: object, problem: str) -> None:
    assert problems(raw) == [problem]


def test_a_key_that_is_there_twice_is_said(tmp_path: Path) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_text("http: {port: 1}\nreceive: {}\nhttp: {port: 2}\n")
    with pytest.raises(ConfigError, match="'http' is there twice"):
        config.load(file)


def test_a_whole_number_is_a_duration() -> None:
    assert config.parse({"complete": {"quiet_s": 3}}, BASE).complete.quiet_s == 3.0


def test_secrets_are_masked() -> None:
    shared = config.parse({"name": "a", "database": "postgresql://u:hush@db/msnode"}, BASE)
    assert "hush" not in str(config.masked(shared))
    hook = config.parse(to(WEBHOOK, url="https://ris/hush/a?sig=hush", secret="hush" * 4), BASE)
    assert "hush" not in str(config.masked(hook))
    assert config.masked(hook)["destinations"][0]["url"] == "https://ris/***"


def test_the_environment_fills_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_HOST", "pacs.example.org")
    peer = {"name": "pacs", "ae_title": "PACS", "host": "$PACS_HOST"}
    assert parsed({"destinations": [peer]}).host == "pacs.example.org"


def test_what_the_environment_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PACS_HOST", raising=False)
    for host in ("$PACS_HOST", "a.${PACS_HOST}"):
        assert problems(to(PEER, host=host)) == [
            "destinations.0.host: the environment variable PACS_HOST is not set; set it"
        ]
    monkeypatch.setenv("PASSWORD", "pa$word")
    hook = to(WEBHOOK, secret="0123456789abcdef$PASSWORD")
    assert parsed(hook).secret == "0123456789abcdefpa$word"


def test_a_broken_file_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_text("receive: [")
    with pytest.raises(ConfigError, match=r"msnode\.yaml: cannot be read"):
        config.load(file)


def test_sections_are_frozen() -> None:
    whole = config.Config()
    with pytest.raises(AttributeError):
        whole.receive.port = 1  # type: ignore[misc]
    assert {field.name for field in fields(whole)} >= {"receive", "destinations", "http"}

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
        {"name": "two", "folder": "out", "url": "https://ris/", "secret": "0123456789abcdef"},
    ],
)
def test_a_destination_is_a_peer_or_a_folder_or_a_webhook(destination: dict[str, str]) -> None:
    assert any("destinations.0" in line for line in problems({"destinations": [destination]}))


def webhook(**wanted: object) -> dict[str, object]:
    hook = {"name": "ris", "url": "https://ris.example.org/msnode", "secret": "0123456789abcdef"}
    return {"destinations": [hook | wanted]}


@pytest.mark.parametrize(
    "url",
    ["https://ris", "https://[2001:db8::1]:8443/a?b=c", "http://localhost:8080/", "http://[::1]/",
     "http://127.0.0.1/"],
)  # fmt: skip
def test_a_webhook_is_an_address(url: str) -> None:
    assert config.parse(webhook(url=url), BASE).destinations[0].url == url


@pytest.mark.parametrize(
    "url",
    ["", "ris", "ftp://ris/", "https://", "https://ris:0/", "https://ris:99999/", "https://ris/ä",
     "https://user:word@ris/", "https://ris/ a", "https://ris/#a", "https://[::1/", "https://a..b/",
     "https://ris/\r\nX: y"],
)  # fmt: skip
def test_what_is_no_address_is_said(url: str) -> None:
    (problem,) = problems(webhook(url=url))
    assert problem == (
        "destinations.0.url: is no address of a webhook; write https://HOST[:PORT]/PATH"
    )


@pytest.mark.parametrize("url", ["http://ris/", "http://127.0.0.1.example.org/"])
def test_results_cross_no_network_in_clear_text_unless_allowed(url: str) -> None:
    (problem,) = problems(webhook(url=url))
    assert "destinations.0.url" in problem
    assert "use https, or set allow_http" in problem
    assert config.parse(webhook(url=url, allow_http=True), BASE).destinations[0].url == url


@pytest.mark.parametrize(
    ("secret", "why"),
    [(None, "shorter"), ("", "shorter"), ("short", "shorter"), ("$NOT_SET_ANYWHERE", "not set"),
     ("${NOT_SET_ANYWHERE}", "not set")],
)  # fmt: skip
def test_a_webhook_needs_a_secret(secret: str | None, why: str) -> None:
    (problem,) = problems(webhook(secret=secret))
    assert problem.startswith("destinations.0.secret: ")
    assert why in problem


def test_a_webhook_needs_time() -> None:
    assert problems(webhook(timeout_s=0)) == [
        "destinations.0.timeout_s: 0.0 is out of range; use seconds above 0, at most 31622400"
    ]


@pytest.mark.parametrize("token", ["", "T", "MS AI", "SIXTEEN_LETTERS_"])
def test_a_token_is_short_text(token: str) -> None:
    assert config.parse({"report": {"token": token}}, BASE).report.token == token


@pytest.mark.parametrize("token", [" ", "A ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "ÜMLAUT"])
def test_other_tokens_are_errors(token: str) -> None:
    assert any("report.token" in line for line in problems({"report": {"token": token}}))


def test_destinations_need_different_names() -> None:
    twice = [{"name": "pacs", "folder": "a"}, {"name": "pacs", "folder": "b"}]
    assert any("used twice" in line for line in problems({"destinations": twice}))


def test_secrets_are_masked() -> None:
    parsed = config.parse({"name": "a", "database": "postgresql://u:hush@db/msnode"}, BASE)
    assert "hush" not in str(config.masked(parsed))
    hook = config.parse(webhook(url="https://ris/a?sig=hush", secret="hush" * 4), BASE)
    assert "hush" not in str(config.masked(hook))
    assert config.masked(hook)["destinations"][0]["url"] == "https://ris/a?***"


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

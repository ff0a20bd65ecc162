"""A DICOMweb server among the destinations: its address, and how the node proves who it is."""

from pathlib import Path

import pytest
import yaml

from msnode import config
from msnode.config import Basic, Bearer, ClientKey, ClientSecret
from msnode.config.masking import masked
from tests.configs import BASE, STOW, parsed, problems, to

OAUTH = {"token_url": "https://login.example.org/token", "client_id": "node"}


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ({"user": "a", "password": "b"}, Basic),
        ({"bearer": "a"}, Bearer),
        ({**OAUTH, "client_secret": "a"}, ClientSecret),
        ({**OAUTH, "client_key": "key.pem", "algorithm": "ES384"}, ClientKey),
        (None, type(None)),
    ],
)
def test_an_authorization_is_told_by_its_key(auth: object, kind: type) -> None:
    assert isinstance(parsed(to(STOW, auth=auth)).auth, kind)


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({}, "auth: give one of user and password"),
        ({"user": "a", "bearer": "b"}, "auth: give one of user and password"),
        (7, "auth: must be keys with values, not int"),
        ({"user": "a"}, "auth.password: missing"),
        ({"user": "a:b", "password": "c"}, "auth.user: has a colon"),
        ({"user": "a", "password": ""}, "auth.password: is empty"),
        ({"bearer": "a b"}, "auth.bearer: is empty, or has a space"),
        ({"bearer": "a", "client_id": "b"}, "auth.client_id: does nothing for a bearer token"),
        ({**OAUTH, "token_url": "x", "client_secret": "a"}, "auth.token_url: is no address"),
        (
            {**OAUTH, "token_url": "http://login/token", "client_secret": "a"},
            "auth.token_url: http shows all to the network",
        ),
    ],
)
def test_what_is_wrong_with_one_is_told_with_its_key(auth: object, problem: str) -> None:
    found = problems(to(STOW, auth=auth))
    assert any(line.startswith(f"destinations.0.{problem}") for line in found), found


def test_its_address_is_a_base_url() -> None:
    (found,) = problems(to(STOW, stow="https://pacs/rs?a=b"))
    assert found.startswith("destinations.0.stow: has a query")
    (found,) = problems(to(STOW, stow="http://pacs/rs"))
    assert found.startswith("destinations.0.stow: http shows all")
    assert parsed(to(STOW, stow="http://pacs/rs", allow_http=True)).address == "http://pacs/rs"


def test_two_that_bring_to_one_place_are_told() -> None:
    (found,) = problems({"destinations": [STOW, {**STOW, "name": "again"}]})
    assert "brings to where 'web' brings already" in found


def test_one_place_is_one_place_however_it_is_written() -> None:
    (found,) = problems({"destinations": [STOW, {**STOW, "name": "b", "stow": f"{STOW['stow']}/"}]})
    assert "brings to where 'web' brings already" in found


@pytest.mark.parametrize("url", ["http://localhost:9104", "https://10.1.2.3:9104/"])
def test_this_node_is_no_destination_of_its_own(url: str) -> None:
    web = {"address": "10.1.2.3", "port": 9104}
    found = problems({"receive": {"dicomweb": web}, **to(STOW, stow=url)})
    assert found == [
        "destinations.0.stow: is this node itself; give the address of the DICOMweb server"
    ]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secrets = [
        {"user": "a", "password": "hush"},
        {"bearer": "hush"},
        {**OAUTH, "client_secret": "hush"},
    ]
    for auth in secrets:
        shown = yaml.safe_dump(masked(config.parse(to(STOW, auth=auth), BASE)))
        assert "hush" not in shown
        assert "https://pacs.example.org/rs" in shown  # which an administrator has to see


def test_a_key_that_cannot_be_read_is_told_with_its_own_key(tmp_path: Path) -> None:
    from msnode.config.tls_files import unreadable

    auth = {**OAUTH, "client_key": str(tmp_path / "none.pem")}
    found = list(unreadable(config.parse(to(STOW, auth=auth, ca=str(tmp_path / "ca.pem")), BASE)))
    assert [line.partition(":")[0] for line in found] == [
        "destinations.0.ca",
        "destinations.0.auth.client_key",
    ]

"""Settings of the pages that would leave patients or passwords open, or nobody in."""

import pytest

from msnode import config
from msnode.config import Pages
from tests.configs import BASE, problems

OIDC = {
    "issuer": "https://login.example.org", "client_id": "a", "client_secret": "0" * 16,
    "roles": [{"group": "it", "role": "administrator"}],
}  # fmt: skip
PROXY = {"addresses": ["10.1.2.3"], "roles": [{"group": "it", "role": "administrator"}]}
TLS = {"certificate": "node.crt", "key": "node.key"}


def test_one_line_switches_them_on() -> None:
    read = config.parse({"pages": {}}, BASE)
    assert read.pages == Pages()
    assert read.pages is not None
    assert (read.pages.patients, read.pages.address) == (False, "127.0.0.1")
    assert config.parse({}, BASE).pages is None


@pytest.mark.parametrize(
    ("pages", "problem"),
    [
        ({"address": "0.0.0.0"}, "pages.tls: passwords and patients would cross the network"),
        ({"allow_http": True}, "pages.allow_http: does nothing"),
        ({"address": "0.0.0.0", "tls": TLS, "allow_http": True}, "pages.allow_http: does nothing"),
        ({"passwords": False}, "pages.passwords: nobody could log in"),
        ({"links": {"secret": "0" * 16}}, "pages.links: open patients' results"),
        ({"links": {"secret": "short"}, "patients": True}, "pages.links.secret: "),
        ({"idle_s": 10.0, "longest_s": 5.0}, "pages.idle_s: 10.0 is longer"),
        ({"url": "http://msnode.example.org"}, "pages.url: must be https"),
        ({"url": "https://msnode.example.org/pages"}, "pages.url: must end with the host"),
        ({"oidc": OIDC | {"issuer": "http://l.example.org"}}, "pages.oidc.issuer: must be https"),
        ({"oidc": OIDC | {"roles": []}}, "pages.oidc.roles: there are none"),
        ({"oidc": OIDC | {"scope": "profile"}}, "pages.oidc.scope: openid is missing"),
        ({"oidc": OIDC | {"roles": [{"group": "it", "role": "admin"}]}},
         "pages.oidc.roles.0.role: 'admin' is unknown"),
        ({"proxy": PROXY | {"addresses": []}}, "pages.proxy.addresses: there are none"),
        ({"proxy": PROXY | {"addresses": ["proxy"]}}, "pages.proxy.addresses.0: "),
        ({"proxy": PROXY | {"roles": []}}, "pages.proxy.roles: there are none"),
        ({"forwarded_header": "X Forwarded"}, "pages.forwarded_header: 'X Forwarded' is no name"),
        ({"port": 11112}, "pages.port: 11112 is receive.port, too"),
    ],
)  # fmt: skip
def test_what_would_go_wrong_is_told(pages: dict[str, object], problem: str) -> None:
    assert any(one.startswith(problem) for one in problems({"pages": pages})), problems(
        {"pages": pages}
    )


@pytest.mark.parametrize(
    "pages",
    [
        {"address": "0.0.0.0", "tls": TLS},
        {"address": "0.0.0.0", "allow_http": True},
        {"oidc": OIDC, "passwords": False},
        {"oidc": OIDC | {"issuer": "http://127.0.0.1:9000"}},
        {"proxy": PROXY, "passwords": False, "url": "https://msnode.example.org/"},
        {"patients": True, "links": {"secret": "0" * 16}},
    ],
)
def test_what_is_sound_is_taken(pages: dict[str, object]) -> None:
    assert config.parse({"pages": pages}, BASE).pages is not None


def test_secrets_are_not_shown() -> None:
    pages = {"patients": True, "oidc": OIDC, "links": {"secret": "0" * 16}}
    shown = config.masked(config.parse({"pages": pages}, BASE))["pages"]
    assert shown["oidc"]["client_secret"] == shown["links"]["secret"] == "***"

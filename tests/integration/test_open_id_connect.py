"""Logging in by the hospital's login service: a certified provider, and services that err."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient

from msnode.pages.frame.site import Site
from tests.acceptance import peers
from tests.acceptance.npm import npm_install
from tests.http_receiver import saying, serving, status
from tests.pages_site import URL, site_in, visiting

HERE = Path(__file__).parents[1] / "oidc"
CACHE = peers.ROOT / "build" / "oidc"
BACK = f"{URL}/oidc/back"
SECRET = "0123456789abcdef"
ROLES = [{"group": "radiology", "role": "clinician"}, {"group": "it", "role": "administrator"}]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer URL of npm's oidc-provider, which is certified by the OpenID Foundation."""
    npm_install(HERE / "package.json", CACHE, "oidc-provider")
    shutil.copy(HERE / "provider.js", CACHE)
    port = str(peers.free_port())
    command = [peers.tool("node", "nodejs"), "provider.js", port, BACK]
    with subprocess.Popen(
        command, cwd=CACHE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as it:
        assert it.stdout is not None
        while b"ready" not in it.stdout.readline():
            assert it.poll() is None, "the provider stopped"
        yield f"http://127.0.0.1:{port}"
        it.kill()


@contextmanager
def site_of(folder: Path, issuer: str) -> Iterator[Site]:
    settings = {"issuer": issuer, "client_id": "msnode", "client_secret": SECRET, "roles": ROLES}
    with site_in(folder, {"oidc": settings, "passwords": False}) as site:
        yield site


def through(page: str, account: str) -> str:
    """Log in at the provider and agree, as a person does; returns where it sends the browser."""
    with httpx2.Client(follow_redirects=False, timeout=10) as browser:
        answer = browser.get(page)
        while True:
            while "location" in answer.headers:
                place = str(answer.request.url.join(answer.headers["location"]))
                if place.startswith(BACK):
                    return place.removeprefix(URL)
                answer = browser.get(place)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            action = re.search(r'action="([^"]+)"', answer.text)
            assert prompt is not None, answer.text[:500]
            assert action is not None
            form = {"prompt": prompt[1], "login": account, "password": "any"}
            answer = browser.post(str(answer.request.url.join(action[1])), data=form)


@pytest.mark.parametrize(
    ("account", "home"), [("anna.radiology.staff", "/worklist"), ("bert.it", "/node")]
)
def test_a_certified_provider_lets_in_by_groups(
    provider: str, tmp_path: Path, account: str, home: str
) -> None:
    with site_of(tmp_path, provider) as site, visiting(site) as client:
        assert "/oidc?to=" in client.get("/login").text
        back = through(client.get("/oidc").headers["location"], account)
        assert client.get(back).headers["location"] == "/"
        assert client.get("/").headers["location"] == home
        assert client.get(back).status_code == 403  # it is of no use a second time


def test_who_is_in_no_group_may_see_nothing(provider: str, tmp_path: Path) -> None:
    with site_of(tmp_path, provider) as site, visiting(site) as client:
        back = through(client.get("/oidc").headers["location"], "carl.staff")
        assert client.get(back).status_code == 403
        assert "/login" in client.get("/").headers["location"]


def test_anothers_code_logs_nobody_in(provider: str, tmp_path: Path) -> None:
    """A page that leads a browser to the attacker's own code (log-in CSRF) leads nowhere."""
    with site_of(tmp_path, provider) as site, visiting(site) as victim, visiting(site) as attacker:
        back = through(attacker.get("/oidc").headers["location"], "eve.radiology")
        assert victim.get(back).status_code == 403
        victim.get("/oidc")
        assert victim.get(back).status_code == 403


KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)


@contextmanager
def service(**wrong: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """A login service; ``wrong`` replaces claims, its key, or whole answers by their path.

    Yields:
        Its URL, and where the nonce is to be put that the token then has.
    """
    begun: dict[str, str] = {}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if path in wrong:
            wrong[path](handler)
            return
        saying(200, answers[path]())(handler)

    def token() -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": receiver.url, "aud": "msnode", "sub": "1", "iat": now, "exp": now + 60,
            "groups": ["it"], "nonce": begun.get("nonce", ""),
        }  # fmt: skip
        claims = {k: v for k, v in (claims | wrong.get("claims", {})).items() if v is not None}
        key, algorithm = wrong.get("signed", (KEY, "RS256"))
        return {
            "access_token": "a", "token_type": "Bearer",
            "id_token": jwt.encode(claims, key, algorithm, {"kid": "one"}),
        }  # fmt: skip

    def keys() -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def discovery() -> dict[str, str]:
        told = {"issuer": receiver.url, "authorization_endpoint": f"{receiver.url}/auth"}
        told |= {"token_endpoint": f"{receiver.url}/token", "jwks_uri": f"{receiver.url}/keys"}
        changed: dict[str, str] = wrong.get("discovery", {})
        return told | changed

    answers: dict[str, Any] = {
        "/.well-known/openid-configuration": discovery, "/token": token, "/keys": keys,
    }  # fmt: skip
    with serving(answer) as receiver:
        yield receiver.url, begun


def coming_back(client: TestClient, begun: dict[str, str]) -> int:
    """Status of the way back, as the service sends the browser there."""
    answer = client.get("/oidc")
    if answer.status_code != 303:
        return int(answer.status_code)
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    begun["nonce"] = asked["nonce"][0]
    return int(
        client.get("/oidc/back", params={"code": "c", "state": asked["state"][0]}).status_code
    )


def test_our_service_of_the_tests_lets_in(tmp_path: Path) -> None:
    with service() as (issuer, begun), site_of(tmp_path, issuer) as site, visiting(site) as client:
        assert coming_back(client, begun) == 303
        assert client.get("/").headers["location"] == "/node"


HMAC = "a secret of thirty-two characters"
WRONG: dict[str, dict[str, Any]] = {
    "another's nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "for another client": {"claims": {"aud": "another"}},
    "of another issuer": {"claims": {"iss": "https://evil.example"}},
    "expired": {"claims": {"exp": 1}},
    "without an end": {"claims": {"exp": None}},
    "without a subject": {"claims": {"sub": None}},
    "signed by another key": {"signed": (OTHER, "RS256")},
    "signed by a secret": {"signed": (HMAC, "HS256")},
    "not signed": {"signed": (None, "none")},
    "no token": {"/token": saying(200, {"access_token": "a", "token_type": "Bearer"})},
    "no JSON": {"/token": status(200)},
    "refused": {"/token": saying(400, {"error": "invalid_grant"})},
    "keys are away": {"/keys": status(500)},
    "no keys": {"/keys": saying(200, {"keys": []})},
    "keys are none": {"/keys": saying(200, [])},
    "it is another issuer": {"discovery": {"issuer": "https://evil.example"}},
    "discovery is away": {"/.well-known/openid-configuration": status(503)},
    "discovery is none": {"/.well-known/openid-configuration": saying(200, [])},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_good_token_lets_nobody_in(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with (
        service(**wrong) as (issuer, begun),
        site_of(tmp_path, issuer) as site,
        visiting(site) as client,
    ):
        assert coming_back(client, begun) == 502
        assert "/login" in client.get("/").headers["location"]


@pytest.mark.parametrize("groups", [None, 5, {"it": 1}, [["it"]], "staff", []])
def test_odd_groups_are_none(tmp_path: Path, groups: object) -> None:
    wrong = {"claims": {"groups": groups}}
    with (
        service(**wrong) as (issuer, begun),
        site_of(tmp_path, issuer) as site,
        visiting(site) as client,
    ):
        assert coming_back(client, begun) == 403


def test_without_the_setting_there_is_none(tmp_path: Path) -> None:
    with site_in(tmp_path) as site, visiting(site) as client:
        assert client.get("/oidc").status_code == 404
        assert client.get("/oidc/back").status_code == 404

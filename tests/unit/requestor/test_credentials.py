"""How the node proves who it is: tokens are asked for, kept, renewed, and never told."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from msnode.config import Bearer, ClientKey, ClientSecret, StowServer
from msnode.errors import ConfigError, TryLater
from msnode.requestor import credentials
from msnode.requestor.http_answer import Answer
from msnode.requestor.http_request import Request, ask
from tests.http_receiver import Receiver, saying, serving, status


@pytest.fixture(autouse=True)
def no_tokens() -> Iterator[None]:
    credentials._tokens.clear()
    yield
    credentials._tokens.clear()


class Server:
    """A server and its token endpoint in one; tokens are numbered."""

    def __init__(self) -> None:
        self.given = 0
        self.good: set[str] = set()
        self.token: dict[str, Any] = {"token_type": "Bearer", "expires_in": 3600}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/token":
            self.given += 1
            token = f"t{self.given}"
            self.good.add(token)
            saying(200, {"access_token": token} | self.token)(handler)
            return
        sent = str(handler.headers.get("Authorization", "")).removeprefix("Bearer ")
        status(200 if sent in self.good else 401)(handler)


def at(receiver: Receiver, login: Any) -> StowServer:
    return StowServer("pacs", stow=f"{receiver.url}/rs", timeout_s=5.0, auth=login)


def get(server: StowServer) -> Answer:
    return ask(server, Request("GET", server.stow))


def client(receiver: Receiver, **settings: Any) -> ClientSecret:
    return ClientSecret(f"{receiver.url}/token", "the node", "a:b c", **settings)


def test_a_bearer_token_is_sent_as_it_is() -> None:
    with serving(status(200)) as receiver:
        assert get(at(receiver, Bearer("abc"))).status == 200
    assert receiver.requests[0][1]["Authorization"] == "Bearer abc"


def test_a_token_is_asked_for_once_and_used_again() -> None:
    server = Server()
    with serving(server.answer) as receiver:
        stow = at(receiver, client(receiver, scope="store search"))
        assert [get(stow).status for _ in range(3)] == [200] * 3
    assert server.given == 1
    path, headers, body = receiver.requests[0]
    assert path == "/token"
    assert parse_qs(body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["store search"],
    }
    # RFC 6749 2.3.1: form encoding first
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"the+node:a%3Ab+c").decode()


def test_a_token_that_is_not_taken_any_more_is_renewed_once() -> None:
    server = Server()
    with serving(server.answer) as receiver:
        stow = at(receiver, client(receiver))
        assert get(stow).status == 200
        server.good.clear()
        assert get(stow).status == 200
        assert server.given == 2
        server.answer = lambda handler: (  # type: ignore[method-assign]
            saying(200, {"access_token": "x"})(handler)
            if handler.path == "/token"
            else status(401)(handler)
        )
        receiver.answer = server.answer
        before = len(receiver.requests)
        assert get(stow).status == 401
        assert len(receiver.requests) - before == 3  # refused, a token, refused: then it is told


def test_a_token_that_runs_out_is_asked_for_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    with serving(server.answer) as receiver:
        stow = at(receiver, client(receiver))
        get(stow)
        later = time.monotonic() + 3580
        monkeypatch.setattr(time, "monotonic", lambda: later)
        get(stow)
    assert server.given == 2


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (400, {"error": "invalid_client"}, "HTTP 400 Bad Request invalid_client"),
        (400, {"error": "Jane Doe"}, "HTTP 400 Bad Request"),
        (200, {"token": "x"}, "HTTP 200 OK"),
        (200, {"access_token": "a\r\nX: b"}, "HTTP 200 OK"),
        (200, ["access_token"], "HTTP 200 OK"),
        (503, {"error": {"code": 503}}, "HTTP 503 Service Unavailable"),
        (503, "down", "HTTP 503 Service Unavailable"),
    ],
)
def test_no_token_is_told_without_quoting(code: int, said: Any, told: str) -> None:
    with serving(saying(code, said)) as receiver, pytest.raises(TryLater) as caught:
        get(at(receiver, client(receiver)))
    assert str(caught.value) == f"the authorization server gives no token: {told}"


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_signed_jwt_proves_the_client(tmp_path: Path, algorithm: Any) -> None:
    key: Any = (
        rsa.generate_private_key(65537, 2048)
        if algorithm == "RS384"
        else ec.generate_private_key(ec.SECP384R1())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = tmp_path / "key.pem"
    file.write_bytes(pem)
    server = Server()
    with serving(server.answer) as receiver:
        url = f"{receiver.url}/token"
        login = ClientKey(url, "node", file, key_id="k1", algorithm=algorithm, scope="system/*.rs")
        assert get(at(receiver, login)).status == 200
        credentials._tokens.clear()
        assert get(at(receiver, login)).status == 200
    forms = [parse_qs(body.decode()) for path, _, body in receiver.requests if path == "/token"]
    tokens = [form["client_assertion"][0] for form in forms]
    assert forms[0]["client_assertion_type"] == [
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    ]
    claims = [
        jwt.decode(token, key.public_key(), [algorithm], audience=url, issuer="node")
        for token in tokens
    ]
    assert jwt.get_unverified_header(tokens[0])["kid"] == "k1"
    assert claims[0]["sub"] == "node"
    assert 0 < claims[0]["exp"] - claims[0]["iat"] <= 300
    assert claims[0]["jti"] != claims[1]["jti"]


def test_a_key_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    login = ClientKey("https://x/token", "node", file)
    with pytest.raises(ConfigError, match=r"auth\.client_key: .*No such file"):
        credentials.assertion(login)
    file.write_text(json.dumps("no key"))
    with pytest.raises(ConfigError, match=r"no key for RS384"):
        credentials.assertion(login)
    key = rsa.generate_private_key(65537, 2048)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match=r"no key for ES384"):
        credentials.assertion(replace(login, algorithm="ES384"))
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ConfigError, match=r"no key for RS384"):
        credentials.assertion(login)
    short = rsa.generate_private_key(65537, 1024)
    file.write_bytes(short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match=r"no key for RS384"):
        credentials.assertion(login)


def test_what_no_token_endpoint_would_say_harms_nothing() -> None:
    server = Server()
    server.token["expires_in"] = 10**400
    with serving(server.answer) as receiver:
        assert get(at(receiver, client(receiver))).status == 200
        credentials._tokens.clear()
        receiver.answer = saying(200, {"access_token": "x", "expires_in": True})
        assert get(at(receiver, client(receiver))).status == 200

    def nested(handler: BaseHTTPRequestHandler) -> None:
        body = b"[" * 20_000
        status(200, **{"Content-Length": str(len(body))})(handler)
        handler.wfile.write(body)

    credentials._tokens.clear()
    with serving(nested) as receiver, pytest.raises(TryLater, match="gives no token"):
        get(at(receiver, client(receiver)))

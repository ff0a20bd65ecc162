"""A FHIR R4 server of our own, as far as the tests need one, and R4's own definitions.

It does what R4 says of transactions (3.1.0.11): whole or not at all, conditional create and update,
conditional references, urn:uuid references. No server of others could be started here without
Docker or Java's registries; what it takes has been validated by the definitions of R4 (npm `fhir`).
"""

import json
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt

from tests.acceptance import peers
from tests.acceptance.npm import npm_install

HERE = Path(__file__).with_name("fhir")
CACHE = peers.ROOT / "build" / "fhir"
Resource = dict[str, Any]


def flaws(resources: list[Resource]) -> list[dict[str, Any]]:
    """What R4's definitions find wrong: structure, cardinality, types, required value sets."""
    npm_install(HERE / "package.json", CACHE, "fhir")
    shutil.copy(HERE / "validate.js", CACHE)
    done = subprocess.run(
        ["node", "validate.js"], cwd=CACHE, input=json.dumps(resources), capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [one for one in found if one["severity"] != "warning"]


class Refusal(Exception):
    """A transaction that is not carried out."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


Answer = tuple[int, Resource]


@dataclass
class Server:
    """What it has, what it was asked, and how it misbehaves.

    Attributes:
        resources: by type and id.
        token: what callers must show; "" for nothing.
        client_key: public key of the client (PEM), to whom `token` is given.
        received: bodies of transactions, as they came.
        asked: targets of searches.
        faults: one is used up by each transaction, and gets what does it.
    """

    url: str = ""
    resources: dict[str, Resource] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    faults: list[Callable[[Callable[[], Answer]], Answer | None]] = field(default_factory=list)
    search_faults: list[Answer | None] = field(default_factory=list)
    token: str = ""
    client_key: str = ""
    page: int = 2
    lock: threading.Lock = field(default_factory=threading.Lock)

    def authorized(self, form: dict[str, list[str]]) -> Answer:
        """A token for a client that signs a JWT, as SMART Backend Services has it."""
        (signed,) = form["client_assertion"]
        claims = jwt.decode(
            signed, self.client_key, ["ES384"], audience=f"{self.url}/token",
            options={"require": ["exp", "jti", "iss", "sub"]},
        )  # fmt: skip
        assert claims["iss"] == claims["sub"] == "msnode"
        assert form["grant_type"] == ["client_credentials"]
        self.token = secrets.token_hex(16)
        return 200, {"access_token": self.token, "token_type": "Bearer", "expires_in": 300}

    def all_of(self, kind: str) -> list[Resource]:
        """The resources of a type."""
        return [one for key, one in self.resources.items() if key.startswith(f"{kind}/")]

    def add(self, resource: Resource) -> str:
        """Keep a resource; returns its reference."""
        key = f"{resource['resourceType']}/{resource.get('id', len(self.resources) + 1)}"
        self.resources[key] = {**resource, "id": key.partition("/")[2]}
        return key

    def matches(self, kind: str, query: str) -> list[str]:
        """References of what has the identifier, and the status, of a search."""
        identifier, _, status = query.partition("&status=")
        system, value = unquote(identifier.removeprefix("identifier=")).replace("\\", "").split("|")
        return [
            key
            for key, one in self.resources.items()
            if key.startswith(f"{kind}/")
            and status in ("", one.get("status"))
            and any(
                (i.get("system"), i["value"]) == (system, value) for i in one.get("identifier", [])
            )
        ]

    def transact(self, body: bytes) -> Answer:
        """Carry out a transaction, or change nothing."""
        with self.lock:
            before = deepcopy(self.resources)
            try:
                return 200, self._transacted(json.loads(body))
            except Refusal as refusal:
                self.resources = before
                issue = {"severity": "error", "code": refusal.code, "diagnostics": "MUSTER^ERIKA"}
                return refusal.status, {"resourceType": "OperationOutcome", "issue": [issue]}

    def _transacted(self, bundle: Resource) -> Resource:
        names, responses = {}, []
        for entry in bundle["entry"]:
            request = entry["request"]
            is_create = request["method"] == "POST"
            kind, _, query = request["url"].partition("?")
            found = self.matches(kind, request["ifNoneExist"] if is_create else query)
            if len(found) > 1:
                raise Refusal(412, "multiple-matches")
            if found and is_create:
                status, key = "200 OK", found[0]
            elif found:
                status, key = "200 OK", found[0]
                self.resources[key] = {**entry["resource"], "id": key.partition("/")[2]}
            else:
                status, key = "201 Created", self.add(deepcopy(entry["resource"]))
            names[entry["fullUrl"]] = key
            responses.append({"response": {"status": status, "location": f"{key}/_history/1"}})
        for one in self.resources.values():
            self._resolve(one, names)
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": responses}

    def _resolve(self, value: Any, names: dict[str, str]) -> None:
        """Replace references by those of what they stand for."""
        if isinstance(value, list):
            for one in value:
                self._resolve(one, names)
        elif isinstance(value, dict):
            told = value.get("reference", "")
            if isinstance(told, str) and "?" in told:
                found = self.matches(*told.split("?", 1))
                if len(found) != 1:
                    raise Refusal(*((412, "multiple-matches") if found else (404, "not-found")))
                value["reference"] = found[0]
            elif isinstance(told, str) and told.startswith("urn:uuid:"):
                value["reference"] = names[told]
            for one in list(value.values()):
                self._resolve(one, names)

    def found(self, target: str) -> Answer:
        """A page of a search, or a resource by its id."""
        fault = self.search_faults.pop(0) if self.search_faults else None
        if fault is not None:
            return fault
        kind, _, name = target.removeprefix("/fhir/").partition("/")
        if name:
            one = self.resources.get(f"{kind}/{name}")
            return (200, one) if one else (404, {"resourceType": "OperationOutcome", "issue": []})
        return 200, self.search(target)

    def search(self, target: str) -> Resource:
        """A page of a search by identifier, patient or _id, code and time of the last change."""
        self.asked.append(target)
        parts = urlsplit(target)
        kind, asked = parts.path.rpartition("/")[2], parse_qs(parts.query)
        found = self.all_of(kind)
        if "identifier" in asked:
            found = [self.resources[k] for k in self.matches(kind, asked["identifier"][0])]
        if "patient" in asked:
            who = asked["patient"][0]
            who = who if who.startswith("Patient/") else f"Patient/{who}"
            found = [one for one in found if one["subject"]["reference"] == who]
        if "_id" in asked:
            found = [one for one in found if one["id"] in asked["_id"][0].split(",")]
        if "code" in asked:
            found = [one for one in found if _has_code(one, asked["code"][0])]
        if "_lastUpdated" in asked:
            since = datetime.fromisoformat(asked["_lastUpdated"][0].removeprefix("ge"))
            found = [one for one in found if _updated(one) >= since]
        start = int(asked.get("_start", ["0"])[0])
        entries = [{"resource": one} for one in found[start : start + self.page]]
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        if start + self.page < len(found):
            rest = target.partition("&_start=")[0] + f"&_start={start + self.page}"
            origin = self.url.removesuffix("/fhir")
            bundle["link"] = [{"relation": "next", "url": origin + rest}]
        return bundle


def _has_code(resource: Resource, wanted: str) -> bool:
    """Whether it has one of the codes of a search; SYSTEM| stands for any code of the system."""
    concept = resource.get("code") or resource.get("medicationCodeableConcept") or {}
    codings = concept.get("coding", [])
    named = {f"{one.get('system', '')}|{code}" for one in codings for code in (one["code"], "")}
    return not named.isdisjoint(wanted.split(","))


def _updated(resource: Resource) -> datetime:
    """When it was changed; what does not say so, just now."""
    told = resource.get("meta", {}).get("lastUpdated")
    return datetime.fromisoformat(told) if told else datetime.now(UTC)


class Handler(BaseHTTPRequestHandler):
    """HTTP of the server."""

    def __init__(self, running: Server, *args: Any) -> None:
        self.running = running
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        running = self.running
        if self.path == "/fhir/token":
            self._answer(*running.authorized(parse_qs(body.decode())))
            return
        if not self._may():
            return
        if self.path.endswith("/_search"):
            target = f"{self.path.removesuffix('/_search')}?{body.decode()}"
            self._answer(*running.found(target))
            return
        running.received.append(body)
        do = partial(running.transact, body)
        answer = running.faults.pop(0)(do) if running.faults else do()
        if answer is not None:  # else it breaks off
            self._answer(*answer)

    def _may(self) -> bool:
        """Whether the caller shows the token, where there is one; else it is told so."""
        token = self.running.token
        if token and self.headers["Authorization"] != f"Bearer {token}":
            self._answer(401, {})
            return False
        return True

    def do_GET(self) -> None:
        if not self._may():
            return
        if self.path == "/fhir/metadata":
            said = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
        else:
            self._answer(*self.running.found(self.path))
            return
        self._answer(200, said)

    def _answer(self, status: int, content: Resource) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the time of a ``with`` block."""
    running = Server()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, running))
    running.url = f"http://127.0.0.1:{server.server_port}/fhir"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

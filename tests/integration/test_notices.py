"""Notices reach a real mail server and an HTTPS server that takes what chats take."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from msnode import metrics
from msnode.config import Chat, Config, Mail, Notices
from msnode.errors import ConfigError, TryLater
from msnode.notices import chat, mail, watch
from msnode.notices.conditions import Problem
from msnode.notices.notice import Notice
from tests.acceptance.peers import free_port, wait

SECRET = "correct horse"
NOTICE = Notice(
    "node-1",
    (
        Problem("MsnodeDeadLetter", (), "critical", "Results for <pacs> were given up", False),
        Problem("MsnodeDiskFilling", (), "warning", "The data disk is filling up", True),
    ),
    over=("MsnodeTlsStale",),
)


@dataclass
class MailServer:
    """Takes mail of those who log in over STARTTLS; refuses one address."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: list[str]
    ) -> str:
        if to.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = cast(bytes, envelope.content)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 taken"


def knows(
    _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any
) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(b"node", SECRET.encode())
    return AuthResult(success=right, handled=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


@pytest.fixture
def mail_server(context: ssl.SSLContext) -> Iterator[MailServer]:
    server = MailServer()
    options: dict[str, Any] = {
        "tls_context": context, "require_starttls": True, "authenticator": knows,
        "auth_required": True,
    }  # fmt: skip
    server.port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)
    controller.start()
    yield server
    controller.stop()


@pytest.fixture
def account(mail_server: MailServer, ca: Path) -> Mail:
    to = ("admin@example.org", "pacs@example.org")
    sender = "msnode@example.org"
    return Mail("localhost", to, sender, mail_server.port, user="node", password=SECRET, ca=ca)


def test_a_mail_says_what_is_wrong_in_plain_text(mail_server: MailServer, account: Mail) -> None:
    mail.send(NOTICE, account)
    (made,) = mail_server.mails
    assert made["Subject"] == "msnode node-1: Results for <pacs> were given up (and 1 more)"
    assert made["To"] == "admin@example.org, pacs@example.org"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made.get_content().splitlines()[:3] == [
        "critical: Results for <pacs> were given up [MsnodeDeadLetter]",
        "warning: The data disk is filling up [MsnodeDiskFilling]",
        "over: MsnodeTlsStale",
    ]


def test_a_node_that_gives_results_up_writes_once(
    mail_server: MailServer, account: Mail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.02)
    metrics.READY.set_function(lambda: True)
    config = Config(data=tmp_path, notices=Notices(mail=(account,)))
    watching = watch.start(config, "serve")
    assert watching is not None
    metrics.DELIVERIES.labels("pacs-of-notices", "dead").inc()

    def told() -> list[str]:
        text = "".join(one.get_content() for one in mail_server.mails)
        return [line for line in text.splitlines() if "pacs-of-notices" in line]

    wait(lambda: bool(told()), 10, "the mail")
    watching.stop()
    assert told() == [
        "critical: Results for pacs-of-notices were given up: 1 objects are not there "
        "[MsnodeDeadLetter]"
    ]
    again = watch.Watch(config, "serve")
    again.look(time.time())
    assert len(mail_server.mails) == 1, "a start tells nothing again"


def test_what_the_mail_server_does_not_take_is_tried_later(account: Mail) -> None:
    refused = [
        replace(account, password="wrong"),
        replace(account, security="none", user="", password="", ca=None),
        replace(account, to=("admin@example.org", "nobody@example.org")),
        replace(account, security="tls"),
        replace(account, port=1),
        replace(account, ca=None),
    ]
    for wrong in refused:
        with pytest.raises(TryLater) as caught:
            mail.send(NOTICE, wrong)
        assert "wrong" not in str(caught.value)
        assert "@" not in str(caught.value), "nobody's address in the log"


def test_a_ca_file_that_is_none_is_the_administrators_mistake(
    account: Mail, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="ca:"):
        mail.send(NOTICE, replace(account, ca=tmp_path / "missing.pem"))


@dataclass
class ChatServer:
    """Takes what is posted, and answers with a status."""

    port: int = 0
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def chat_server(context: ssl.SSLContext) -> Iterator[ChatServer]:
    server = ChatServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            server.bodies.append(json.loads(content))
            self.send_response(server.status)
            self.send_header("Location", "https://localhost:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    server.port = listening.server_port
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    yield server
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_each_chat_gets_its_own_form(chat_server: ChatServer, ca: Path) -> None:
    url = f"https://localhost:{chat_server.port}/hooks/SECRET"
    for form in ("slack", "mattermost", "teams"):
        chat.send(NOTICE, Chat(url, form, ca))
    slack, mattermost, teams = chat_server.bodies
    assert slack["text"].startswith("*msnode node-1: Results for &lt;pacs&gt; were given up")
    assert mattermost["text"].startswith("**msnode node-1: Results for <pacs> were given up")
    assert "• over: MsnodeTlsStale" in mattermost["text"]
    (card,) = teams["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["body"][1]["text"].startswith("- critical: Results for <pacs>")


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
def test_what_a_chat_does_not_take_is_tried_later_and_its_address_kept(
    chat_server: ChatServer, ca: Path, status: int
) -> None:
    chat_server.status = status
    with pytest.raises(TryLater, match=f"HTTP {status}") as caught:
        chat.send(NOTICE, Chat(f"https://localhost:{chat_server.port}/hooks/SECRET", "slack", ca))
    assert "SECRET" not in str(caught.value)
    assert len(chat_server.bodies) == 1, "redirects are not followed"


def test_a_chat_that_does_not_prove_its_name_gets_nothing(chat_server: ChatServer) -> None:
    with pytest.raises(TryLater):
        chat.send(NOTICE, Chat(f"https://localhost:{chat_server.port}/hooks/SECRET", "slack"))
    assert not chat_server.bodies

"""TLS files that are renewed while the listener runs."""

import contextlib
import socket
import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from prometheus_client import REGISTRY

from msnode.config import Tls
from msnode.errors import ConfigError
from msnode.tls import ServerTls, client_context
from tests.integration.test_deliver_tls import issue


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def serial(server: ServerTls, client: Tls) -> str:
    """Serial number of the certificate that a new handshake shows."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        shaking = threading.Thread(target=shake, args=(server, ours))
        shaking.start()
        context = client_context(client)
        with context.wrap_socket(theirs, server_hostname="localhost") as secure:
            certificate = secure.getpeercert()
            assert certificate is not None
            assert secure.recv(1) == b""
    return str(certificate["serialNumber"])


def shake(server: ServerTls, ours: socket.socket) -> None:
    """The server's side of a handshake; the client says whether it came about."""
    with contextlib.suppress(OSError), ours:
        server.context.wrap_socket(ours, server_side=True).close()


def stale() -> float | None:
    return REGISTRY.get_sample_value("msnode_tls_stale", {"setting": "receive.tls"})


def test_new_files_are_used_and_broken_ones_are_not(tmp_path: Path, authority: trustme.CA) -> None:
    files = issue(authority, tmp_path / "server", "localhost")
    client = issue(authority, tmp_path / "client", "localhost")
    server = ServerTls(files)
    first = serial(server, client)
    server.refresh()
    assert serial(server, client) == first

    files.certificate.write_text("half a certifi")
    server.refresh()
    assert (serial(server, client), stale()) == (first, 1)
    files.certificate.unlink()
    server.refresh()
    assert (serial(server, client), stale()) == (first, 1)

    issue(authority, tmp_path / "server", "localhost")
    server.refresh()
    assert stale() == 0
    assert serial(server, client) != first


def test_a_new_authority_counts_at_once(tmp_path: Path, authority: trustme.CA) -> None:
    server = ServerTls(issue(authority, tmp_path / "server", "localhost"))
    issue(trustme.CA(), tmp_path / "server", "localhost")
    server.refresh()
    stranger = issue(authority, tmp_path / "client", "localhost")
    with pytest.raises(ssl.SSLCertVerificationError):
        serial(server, stranger)


def test_the_first_files_must_be_good(tmp_path: Path, authority: trustme.CA) -> None:
    files = issue(authority, tmp_path, "localhost")
    files.key.write_text("")
    with pytest.raises(ConfigError, match=r"key\.pem"):
        ServerTls(files)


def test_an_encrypted_key_is_refused_without_a_question(
    tmp_path: Path, authority: trustme.CA
) -> None:
    files = issue(authority, tmp_path / "server", "localhost")
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", str(files.key)]
    subprocess.run([*command, "-out", str(locked)], check=True)
    with pytest.raises(ConfigError, match=r"locked\.pem, cannot be used: the key is encrypted"):
        client_context(replace(files, key=locked))

from pathlib import Path

import pytest

from msnode.config import Tls
from msnode.errors import ConfigError
from msnode.requestor.peer import parse_peer
from msnode.tls import client_context


@pytest.mark.parametrize(
    ("text", "title", "host", "port"),
    [
        ("ORTHANC@localhost:4242", "ORTHANC", "localhost", 4242),
        ("A B@pacs.hospital.example:104", "A B", "pacs.hospital.example", 104),
        ("ODD@TITLE@10.0.0.7:11112", "ODD@TITLE", "10.0.0.7", 11112),
        ("SIX@[::1]:104", "SIX", "::1", 104),
    ],
)
def test_a_peer_is_title_host_and_port(text: str, title: str, host: str, port: int) -> None:
    peer = parse_peer(text)
    assert (peer.name, peer.ae_title, peer.host, peer.port) == (text, title, host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:104",
        "@localhost:104",
        "   @localhost:104",
        "PACS@localhost",
        "PACS@localhost:",
        "PACS@localhost:0",
        "PACS@localhost:65536",
        "PACS@:104",
        "BACK\\SLASH@localhost:104",
        "SEVENTEEN-LETTERS@localhost:104",
        "PACS@::1:104",
    ],
)
def test_what_is_no_peer_is_said_with_the_fix(text: str) -> None:
    with pytest.raises(ConfigError, match="write AET@HOST:PORT"):
        parse_peer(text)


def test_unusable_tls_files_are_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    with pytest.raises(ConfigError, match=r"absent\.pem"):
        client_context(Tls(certificate=absent, key=absent, ca=absent))

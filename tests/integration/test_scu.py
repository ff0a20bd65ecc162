"""`msnode send` and `msnode echo`: to whom, how, and what they say when it does not work."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
import yaml
from click.testing import CliRunner, Result

from msnode.cli.main import main
from msnode.config import Tls
from tests.acceptance import peers
from tests.integration.test_deliver_tls import issue

Save = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return issue(trustme.CA(), tmp_path / "tls", "localhost")


@pytest.fixture
def secure(tls: Tls, tmp_path: Path) -> Iterator[peers.Scp]:
    """A storage SCP that wants a certificate of the same CA."""
    with peers.storescp(tmp_path, tls=tls) as scp:
        yield scp


def written(folder: Path, scp: peers.Scp, tls: Tls) -> Path:
    """A node's configuration with the peer, a folder and a webhook as destinations."""
    files = {name: str(getattr(tls, name)) for name in ("certificate", "key", "ca")}
    pacs = {"name": "pacs", "ae_title": scp.ae_title, "host": "localhost", "port": scp.port}
    destinations = [
        pacs | {"tls": files},
        {"name": "archive", "folder": str(folder / "archive")},
        {"name": "ris", "url": "https://ris.example.org/", "secret": "0123456789abcdef"},
    ]
    file = folder / "msnode.yaml"
    file.write_text(yaml.safe_dump({"data": str(folder), "destinations": destinations}))
    return file


def options(tls: Tls) -> list[object]:
    return ["--tls-cert", tls.certificate, "--tls-key", tls.key, "--tls-ca", tls.ca]


def test_a_destination_is_called_by_its_name(
    secure: peers.Scp, tls: Tls, tmp_path: Path, save_dicom: Save
) -> None:
    file = written(tmp_path, secure, tls)
    echoed = run("echo", "pacs", "--config", file)
    assert echoed.exit_code == 0, echoed.output
    assert "pacs answered in" in echoed.output
    assert "over TLS" in echoed.output
    sent = run("send", save_dicom("2.25.1"), "--to", "pacs", "--config", file)
    assert sent.exit_code == 0, sent.output
    assert "1 of 1 files stored by pacs" in sent.output
    assert len(secure.files) == 1


def test_tls_files_are_given_by_option(secure: peers.Scp, tls: Tls, save_dicom: Save) -> None:
    peer = f"{secure.ae_title}@localhost:{secure.port}"
    assert run("echo", peer, *options(tls)).exit_code == 0
    assert run("send", save_dicom("2.25.1"), "--to", peer, *options(tls)).exit_code == 0
    assert len(secure.files) == 1


def test_a_certificate_of_another_authority_is_said(
    secure: peers.Scp, tmp_path: Path, save_dicom: Save
) -> None:
    peer = f"{secure.ae_title}@localhost:{secure.port}"
    other = issue(trustme.CA(), tmp_path / "other", "localhost")
    failed = run("echo", peer, *options(other))
    assert failed.exit_code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in failed.output
    failed = run("send", save_dicom("2.25.1"), "--to", peer, *options(other))
    assert failed.exit_code == 1
    assert "0 of 1 files" in failed.output


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ("pasc", "has no destination 'pasc' (known: pacs, archive, ris)"),
        ("archive", "destination archive is a folder, no DICOM peer"),
        ("ris", "destination ris is a webhook, no DICOM peer"),
        ("PACS@nowhere", "write AET@HOST:PORT"),
    ],
)
def test_a_name_that_is_no_peer_is_said(tls: Tls, tmp_path: Path, peer: str, said: str) -> None:
    nowhere = peers.Scp("PACS", 104, tmp_path, None)  # type: ignore[arg-type]
    failed = run("echo", peer, "--config", written(tmp_path, nowhere, tls))
    assert failed.exit_code == 1
    assert said in failed.output


def test_half_a_tls_is_none(tls: Tls) -> None:
    failed = run("echo", "PACS@localhost:104", "--tls-cert", tls.certificate)
    assert failed.exit_code == 1
    assert "give --tls-cert, --tls-key and --tls-ca" in failed.output
    swapped = ["--tls-cert", tls.key, "--tls-key", tls.certificate, "--tls-ca", tls.ca]
    failed = run("echo", "PACS@localhost:104", *swapped)
    assert failed.exit_code == 1
    assert "cannot be used" in failed.output

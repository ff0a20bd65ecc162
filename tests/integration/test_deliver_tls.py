"""Delivery over TLS to dcmtk and Orthanc, both of which want a certificate of the same CA."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from msnode.config import DicomPeer, Tls
from msnode.deliver.deliveries import deliver
from msnode.errors import TryLater
from msnode.requestor import peer
from msnode.requestor.peer import echo, parse_peer
from tests.acceptance import peers

Save = Callable[..., Path]


class TestTls:
    """Against dcmtk's storescp."""

    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def secure(self, authority: trustme.CA, tmp_path: Path) -> Iterator[DicomPeer]:
        ours = issue(authority, tmp_path, "localhost")
        with peers.storescp(tmp_path, tls=ours) as scp:
            yield replace(parse_peer(f"STORESCP@localhost:{scp.port}"), tls=ours)

    def test_both_sides_prove_themselves(self, secure: DicomPeer, save_dicom: Save) -> None:
        (receipt,) = deliver([save_dicom("2.25.1")], secure, "MSNODE")
        assert receipt.delivered
        assert echo(secure, "MSNODE") > 0

    def test_a_peer_of_another_authority_gets_nothing(
        self, secure: DicomPeer, tmp_path: Path, save_dicom: Save
    ) -> None:
        other = issue(trustme.CA(), tmp_path / "other", "localhost")
        (receipt,) = deliver([save_dicom("2.25.1")], replace(secure, tls=other), "MSNODE")
        assert receipt.retry
        assert "CERTIFICATE_VERIFY_FAILED" in receipt.detail

    def test_the_host_name_must_be_the_certificates(self, secure: DicomPeer) -> None:
        with pytest.raises(TryLater, match="CERTIFICATE_VERIFY_FAILED"):
            echo(replace(secure, host="127.0.0.1"), "MSNODE")

    def test_a_peer_may_refuse_our_certificate(
        self, secure: DicomPeer, tmp_path: Path, authority: trustme.CA
    ) -> None:
        stranger = issue(trustme.CA(), tmp_path / "stranger", "localhost")
        assert secure.tls is not None
        with pytest.raises(TryLater, match=r"same TLS setting|CERTIFICATE|alert"):
            echo(replace(secure, tls=replace(stranger, ca=secure.tls.ca)), "MSNODE")

    def test_plain_tcp_to_a_tls_port_is_said(
        self, secure: DicomPeer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(peer, "ACSE_S", 1.0)
        with pytest.raises(TryLater, match="same TLS setting"):
            echo(replace(secure, tls=None), "MSNODE")


def test_orthanc_takes_results_over_tls(save_dicom: Save, tmp_path: Path) -> None:
    ours = issue(trustme.CA(), tmp_path, "localhost")
    with peers.orthanc(tmp_path / "pacs", tls=ours) as server:
        secure = replace(parse_peer(f"ORTHANC@localhost:{server.port}"), tls=ours)
        (receipt,) = deliver([save_dicom("2.25.7")], secure, "MSNODE")
        assert receipt.delivered, receipt.detail
        assert server.modalities("2.25.1") == ["OT"]


def issue(authority: trustme.CA, folder: Path, host: str) -> Tls:
    """Write a key, its certificate and the CA's certificate as PEM files."""
    folder.mkdir(exist_ok=True)
    tls = Tls(folder / "certificate.pem", folder / "key.pem", folder / "ca.pem")
    certificate = authority.issue_cert(host)
    certificate.private_key_pem.write_to_path(str(tls.key))
    certificate.cert_chain_pems[0].write_to_path(str(tls.certificate))
    authority.cert_pem.write_to_path(str(tls.ca))
    return tls

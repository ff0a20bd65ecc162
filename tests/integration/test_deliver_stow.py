"""Result objects by STOW-RS to servers of others, and to a node of ours: each once, none lost."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
import trustme
from pydicom.uid import RLELossless

from msnode import config
from msnode.config import Basic, Bearer, Retry, StowServer, Tls
from msnode.deliver.deliveries import Deliveries, deliver, identify
from msnode.deliver.verification import Delivery
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.acceptance import peers
from tests.http_receiver import saying, serving, status
from tests.integration.listening import Receiver
from tests.integration.stowing import part10
from tests.unit.receive.datasets import mr

TOKEN = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Orthanc]:
    with peers.orthanc(tmp_path_factory.mktemp("pacs")) as running:
        yield running


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(engine)
    yield engine
    engine.dispose()


def images(folder: Path, number: int = 3) -> list[Path]:
    """Small images of one series, the last one compressed."""
    pixels = {"Rows": 4, "Columns": 4, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    kind = {"PixelRepresentation": 0, "SamplesPerPixel": 1, "PixelData": bytes(range(32))}
    study = f"2.25.{id(folder)}"
    whose = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    paths = []
    for i in range(number):
        dataset = mr(**pixels, **kind, **whose, PhotometricInterpretation="MONOCHROME2")
        path = folder / f"{i}.dcm"
        path.write_bytes(part10(dataset))
        paths.append(path)
    last = pydicom.dcmread(paths[-1])
    last.compress(RLELossless, generate_instance_uid=False)
    last.save_as(paths[-1])
    return paths


def delivery(paths: list[Path], destination: StowServer) -> Delivery:
    files = {identify(path): path for path in paths}
    return Delivery(destination, "0123456789abcdef", 1, files, "MSNODE", time.time())


def test_orthanc_takes_objects_and_shows_them(
    pacs: peers.Orthanc, database: sa.Engine, tmp_path: Path
) -> None:
    paths = images(tmp_path)
    study = str(pydicom.dcmread(paths[0]).StudyInstanceUID)
    server = StowServer("pacs", stow=f"http://127.0.0.1:{pacs.http_port}/dicom-web", verify="qido")
    deliveries = Deliveries(database)
    assert deliveries.attempt(delivery(paths, server), 1)["delivered"]
    assert deliveries.attempt(delivery(paths, server), 2)["delivered"]
    found = sorted(one["00080018"] for one in pacs.instances(study))
    assert found == sorted(map(identify, paths))


def test_what_a_search_does_not_show_is_sent_again(database: sa.Engine, tmp_path: Path) -> None:
    paths = images(tmp_path, 1)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        """Stored, it says, and shows nothing."""
        (status(200) if handler.command == "POST" else saying(200, []))(handler)

    with serving(answer) as receiver:
        server = StowServer(
            "pacs", stow=receiver.url, verify="qido", retry=Retry(first_s=0.1, longest_s=0.1)
        )
        deliveries = Deliveries(database)
        first = deliveries.attempt(delivery(paths, server), 1)
        assert (first["delivered"], first["pause_s"] is not None) == (False, True)
        deliveries.attempt(delivery(paths, server), 2)
    asked = [path.partition("/studies")[2] for path, _, _ in receiver.requests]
    assert [path == "" for path in asked] == [True, False, False, True, False]


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("localhost", "sender.example"):
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        (tmp_path / f"{name}.pem").write_bytes(chain)
    return authority


def files_of(folder: Path, name: str) -> Tls:
    return Tls(folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem")


@pytest.mark.usefixtures("authority")
def test_another_node_takes_them_over_tls_by_certificate_and_token(tmp_path: Path) -> None:
    caller = config.WebCaller("SENDER", token=TOKEN, subject="sender.example")
    web = config.Dicomweb(port=0, tls=files_of(tmp_path, "localhost"), callers=(caller,))
    receive = config.Receive(address="127.0.0.1", port=0, min_free_bytes=0, dicomweb=web)
    running = Receiver(f"sqlite:///{tmp_path / 'there.sqlite'}", tmp_path / "there", receive)
    try:
        assert running.web is not None
        ours = files_of(tmp_path, "sender.example")
        url = f"https://localhost:{running.web.port}"
        server = StowServer("node", stow=url, tls=ours, auth=Bearer(TOKEN))
        paths = images(tmp_path)
        assert all(receipt.delivered for receipt in deliver(paths, server, "MSNODE"))
        for wrong in (
            StowServer("node", stow=url, tls=ours, auth=Bearer(TOKEN[::-1])),
            StowServer("node", stow=url, tls=ours, auth=Basic("SENDER", TOKEN)),
            StowServer("node", stow=url, ca=tmp_path / "ca.pem", auth=Bearer(TOKEN)),
        ):
            receipts = deliver(paths, wrong, "MSNODE")
            assert not any(receipt.delivered for receipt in receipts)
            assert all(receipt.retry for receipt in receipts)  # somebody may mend it
        stranger = StowServer("node", stow=url, auth=Bearer(TOKEN))
        (receipt, *_) = deliver(paths, stranger, "MSNODE")
        assert "CERTIFICATE_VERIFY_FAILED" in receipt.detail
    finally:
        running.close()

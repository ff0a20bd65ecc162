"""Other people's STOW-RS clients store to us: dicomweb-client, and Orthanc's DICOMweb plugin."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from msnode import config
from tests.acceptance.peers import orthanc
from tests.integration.listening import Receiver, write
from tests.unit.receive.datasets import mr

TOKEN = "0123456789abcdef0123"
CALLERS = (config.WebCaller("CLOUD", token=TOKEN),)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    folder = tmp_path / "data"
    folder.mkdir()
    web = config.Dicomweb(port=0, callers=CALLERS)
    receive = config.Receive(address="127.0.0.1", port=0, min_free_bytes=0, dicomweb=web)
    running = Receiver(f"sqlite:///{folder / 'msnode.sqlite'}", folder, receive)
    yield running
    running.close()


def url_of(receiver: Receiver) -> str:
    assert receiver.web is not None
    return f"http://127.0.0.1:{receiver.web.port}"


def test_dicomweb_client_stores_and_reads_our_answer(receiver: Receiver, tmp_path: Path) -> None:
    session = create_session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    client = DICOMwebClient(url_of(receiver), session=session)
    datasets = [mr(), mr(), mr(SOPClassUID=CTImageStorage)]
    images = [dcmread(write(tmp_path / f"{i}.dcm", one)) for i, one in enumerate(datasets)]
    answer = client.store_instances(images)
    stored = {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence}
    assert stored == {image.SOPInstanceUID for image in images[:2]}
    (failed,) = answer.FailedSOPSequence
    assert failed.ReferencedSOPInstanceUID == images[2].SOPInstanceUID
    assert failed.FailureReason == 0x0122
    assert {row[0] for row in receiver.rows()} == stored


def test_orthanc_stores_a_study_over_several_requests(receiver: Receiver, tmp_path: Path) -> None:
    images = [mr() for _ in range(25)]  # Orthanc sends ten a request
    with orthanc(tmp_path / "orthanc") as pacs:
        pacs.upload([write(tmp_path / f"{i}.dcm", image) for i, image in enumerate(images)])
        server = {"Url": url_of(receiver), "HttpHeaders": {"Authorization": f"Bearer {TOKEN}"}}
        _put(f"http://127.0.0.1:{pacs.http_port}/dicom-web/servers/msnode", server)
        study = pacs.get("/studies")[0]
        order = {"Resources": [study], "Synchronous": True}
        pacs.get("/dicom-web/servers/msnode/stow", order)
    assert {row[0] for row in receiver.rows()} == {image.SOPInstanceUID for image in images}


def _put(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=10).close()

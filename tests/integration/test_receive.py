"""The listener against dcmtk's clients."""

import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE

from msnode import config
from msnode.records.images import Study
from tests.acceptance.peers import dcmtk
from tests.integration.listening import Receiver, associated, send, statuses, write
from tests.unit.receive.datasets import encode, mr

Listen = Callable[..., Receiver]


def test_echo(listen: Listen) -> None:
    receiver = listen()
    assert dcmtk("echoscu", "-aec", "MSNODE", *receiver.peer).returncode == 0


def test_a_wrong_called_title_is_rejected(listen: Listen) -> None:
    answer = dcmtk("echoscu", "-aec", "OTHER", *listen().peer)
    assert answer.returncode != 0
    assert "Called AE Title Not Recognized" in answer.stdout


def test_an_unknown_caller_is_rejected(listen: Listen) -> None:
    receiver = listen(callers=(config.Caller("MRI1", "127.0.0.0/8"),))
    known = dcmtk("echoscu", "-aet", "MRI1", "-aec", "MSNODE", *receiver.peer)
    assert known.returncode == 0
    answer = dcmtk("echoscu", "-aet", "MRI2", "-aec", "MSNODE", *receiver.peer)
    assert "Calling AE Title Not Recognized" in answer.stdout


def test_a_real_series_arrives_bit_by_bit(listen: Listen, sample_study: Sequence[Path]) -> None:
    receiver = listen()
    sent = dcmtk("dcmsend", "-v", "-aec", "MSNODE", *receiver.peer, *sample_study)
    assert f"with status SUCCESS  : {len(sample_study)}" in sent.stdout, sent.stdout
    kept = {row.sop_instance_uid: row for row in receiver.rows()}
    for path in sample_study:
        before = pydicom.dcmread(path)
        after = pydicom.dcmread(receiver.folder / kept[before.SOPInstanceUID].path)
        assert after == before
        assert after.file_meta.SourceApplicationEntityTitle == "DCMSEND"
    assert receiver.inbox.complete(time.time() + 10, config.Complete(), lambda _: True)


@pytest.mark.parametrize(
    "folder",
    ["compressed", "siemens_mosaic_transfer_syntaxes", "siemens_enhanced_t1"],
)
def test_what_scanners_send_is_accepted(listen: Listen, shared: Path, folder: str) -> None:
    paths = [
        path
        for path in sorted((shared / "dicom" / folder).rglob("*"))
        if path.is_file() and pydicom.misc.is_dicom(path)
    ]
    receiver = listen()
    sent = dcmtk("dcmsend", "-v", "-aec", "MSNODE", *receiver.peer, *paths)
    assert sent.returncode == 0, sent.stdout
    for row in receiver.rows():
        kept = pydicom.dcmread(receiver.folder / row.path)
        assert kept.SOPInstanceUID == row.sop_instance_uid


def test_a_ct_study_is_not_accepted_as_a_context(listen: Listen, tmp_path: Path) -> None:
    receiver = listen()
    ct = write(tmp_path / "ct.dcm", mr(SOPClassUID=CTImageStorage, Modality="CT"))
    output = send(receiver, ct)
    assert "No presentation context for: (CT)" in output
    assert receiver.rows() == []


def test_a_class_named_in_the_configuration_is_accepted(listen: Listen, tmp_path: Path) -> None:
    receiver = listen(accept=("CTImageStorage",))
    ct = write(tmp_path / "ct.dcm", mr(SOPClassUID=CTImageStorage, Modality="CT"))
    assert statuses(send(receiver, ct)) == ["Success"]


def test_duplicate_conflict_and_another_patient(listen: Listen, tmp_path: Path) -> None:
    receiver = listen()
    first = write(tmp_path / "1.dcm", mr(SOPInstanceUID="1.2.3"))
    other = write(tmp_path / "2.dcm", mr(SOPInstanceUID="1.2.3", Rows=9))
    mixed = write(tmp_path / "3.dcm", mr(PatientID="somebody else"))
    answers = statuses(send(receiver, first, first, other))
    assert answers == ["Success", "Success", "Success"]
    output = send(receiver, mixed)
    assert statuses(output)[0].startswith("Error: DataSetDoesNotMatchSOPClass")
    assert [(row.sop_instance_uid, row.conflict) for row in receiver.rows()] == [
        ("1.2.3", False),
        ("1.2.3", True),
    ]


@pytest.mark.parametrize(
    ("settings", "comment"),
    [
        ({"min_free_bytes": 1 << 60}, "min_free_bytes"),
        ({"max_instance_bytes": 100}, "max_instance_bytes"),
    ],
)
def test_no_room(
    listen: Listen,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, int],
    comment: str,
) -> None:
    receiver = listen(**settings)
    with caplog.at_level(logging.WARNING):
        output = send(receiver, write(tmp_path / "1.dcm", mr()))
    assert "OutOfResources" in statuses(output)[0]
    assert comment in caplog.text
    assert receiver.rows() == []
    assert list((receiver.folder / "incoming").glob("*/*.part")) == []


def test_sixty_four_digits_are_a_uid_and_more_are_not(listen: Listen, tmp_path: Path) -> None:
    receiver = listen()
    good = write(tmp_path / "good.dcm", mr(StudyInstanceUID="1." + "2" * 62))
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(good.read_bytes())
    longer = encode(mr(SOPInstanceUID="1.2.9"))
    at, end = longer.index(b"\x20\x00\x0d\x00"), longer.index(b"\x20\x00\x0e\x00")
    study = b"\x20\x00\x0d\x00UI\x46\x00" + b"1." + b"3" * 68
    start = good.read_bytes().index(b"\x08\x00\x16\x00")
    bad.write_bytes(good.read_bytes()[:start] + longer[:at] + study + longer[end:])
    assert statuses(send(receiver, good)) == ["Success"]
    assert "Error" in statuses(send(receiver, bad))[0]
    assert len(receiver.rows()) == 1


def test_a_truncated_dataset_is_refused(listen: Listen, tmp_path: Path) -> None:
    receiver = listen()
    whole = write(tmp_path / "whole.dcm", mr()).read_bytes()
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole[: whole.index(b"\x20\x00\x0d\x00")])
    output = send(receiver, cut)
    assert "Success" not in str(statuses(output))
    assert receiver.rows() == []
    assert statuses(send(receiver, tmp_path / "whole.dcm")) == ["Success"]


def test_silent_connections_hold_nobody_up(listen: Listen, tmp_path: Path) -> None:
    receiver = listen(max_associations=4)
    with ExitStack() as stack:
        for number in range(40):
            idle = stack.enter_context(
                socket.create_connection(("127.0.0.1", receiver.listener.port))
            )
            idle.sendall(b"\1\0\0\0\4"[: number % 6])  # half a PDU's head at most
        start = time.monotonic()
        assert statuses(send(receiver, write(tmp_path / "1.dcm", mr()))) == ["Success"]
        assert time.monotonic() - start < 5


def test_a_flood_from_one_address_leaves_room_for_another(listen: Listen) -> None:
    receiver = listen()
    before = threading.active_count()
    client = AE("MRI1")
    client.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", receiver.listener.port)))
        association = client.associate(
            "127.0.0.1",
            receiver.listener.port,
            ae_title="MSNODE",
            bind_address=("127.0.0.2", 0),
        )
        assert association.is_established
        assert association.send_c_store(mr_file()).Status == 0x0000
        association.release()
        assert threading.active_count() - before < 200
    assert len(receiver.rows()) == 1


def mr_file() -> pydicom.Dataset:
    """A small MR image as pynetdicom sends it."""
    image = mr()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def test_more_associations_than_allowed_are_rejected(listen: Listen, tmp_path: Path) -> None:
    receiver = listen(max_associations=1)
    image = write(tmp_path / "1.dcm", mr())
    with associated(receiver):
        output = send(receiver, image)
        assert "Local Limit Exceeded" in output
    assert statuses(send(receiver, image)) == ["Success"]


def test_stop_ends_idle_associations_at_once(listen: Listen) -> None:
    receiver = listen()
    with associated(receiver):
        start = time.monotonic()
        receiver.listener.stop(10)
        assert time.monotonic() - start < 3


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> config.Tls:
    """A self-signed certificate that both sides show and trust."""
    folder = tmp_path_factory.mktemp("tls")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("openssl is missing: install Debian package openssl")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "crt.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return config.Tls(folder / "crt.pem", folder / "key.pem", folder / "crt.pem")


def test_tls(listen: Listen, tmp_path: Path, certificates: config.Tls) -> None:
    receiver = listen(tls=certificates)
    image = write(tmp_path / "1.dcm", mr())
    secure = ["+tls", certificates.key, certificates.certificate, "+cf", certificates.ca]
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection(("127.0.0.1", receiver.listener.port)))
        start = time.monotonic()
        good = dcmtk("storescu", "-v", "-aec", "MSNODE", *secure, *receiver.peer, image)
        assert statuses(good.stdout) == ["Success"], good.stdout
        assert time.monotonic() - start < 5
    anonymous = dcmtk("storescu", "-v", "-aec", "MSNODE", "+tla", "-ic", *receiver.peer, image)
    assert statuses(anonymous.stdout) == []
    plain = dcmtk("storescu", "-v", "-aec", "MSNODE", *receiver.peer, image)
    assert statuses(plain.stdout) == []
    assert len(receiver.rows()) == 1


def test_a_silent_association_is_aborted(listen: Listen) -> None:
    receiver = listen(network_timeout_s=0.5)
    client = AE("IDLE")
    client.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    association = client.associate("127.0.0.1", receiver.listener.port, ae_title="MSNODE")
    assert association.is_established
    association.join(5)
    assert association.is_aborted


def test_a_sender_that_aborts_is_waited_for(
    listen: Listen, sample_study: Sequence[Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Half a series and an abort is no study; the same caller comes back, and then it is one."""
    receiver = listen()
    rule = config.Complete(quiet_s=0.0, idle_s=60.0)
    caplog.set_level(logging.INFO)

    def complete() -> list[Study]:
        return receiver.inbox.complete(time.time() + 30, rule, lambda _: True)

    with associated(receiver) as association:
        for path in sample_study[:18]:
            assert association.send_c_store(pydicom.dcmread(path)).Status == 0
        assert complete() == [], "still open"
        association.abort()
    await_log(caplog, "association aborted")
    assert complete() == [], "cut off"
    with associated(receiver) as association:
        for path in sample_study:
            assert association.send_c_store(pydicom.dcmread(path)).Status == 0
    await_log(caplog, "association released")
    (study,) = complete()
    assert (study.completion, len(study.paths)) == ("evidence", 36)


def await_log(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Wait until the listener's thread has logged something."""
    end = time.monotonic() + 10
    while words not in caplog.text:
        assert time.monotonic() < end, f"not logged: {words}"
        time.sleep(0.01)

"""A node between hospital systems: an order comes, then its images, and the result goes out."""

import time
from collections.abc import Sequence
from pathlib import Path

import pydicom
from hl7apy.parser import parse_message

from msnode.records.uid_hash import uid_hash
from msnode.store.database import open_database
from msnode.store.orders import is_stat
from tests.acceptance import peers
from tests.acceptance.peers import dcmtk
from tests.acceptance.small_node import small_node
from tests.hl7_messages import code, errors, exchange, order
from tests.hl7_server import Ris


def test_an_order_its_images_and_the_message_of_its_result(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    header = pydicom.dcmread(sample_study[0], stop_before_pixels=True)
    who = f"PID|1||{header.PatientID}^^^{header.get('IssuerOfPatientID', '')}^MR||DOE^JANE"
    told, port = str(header.AccessionNumber), peers.free_port()
    assert told
    with Ris() as ris:
        destinations = [
            {"name": "archive", "folder": str(tmp_path / "archive")},
            {"name": "his", "mllp": "127.0.0.1", "port": ris.port, "status": "P"},
        ]
        hl7 = {"hl7": {"port": port}}
        node = small_node(tmp_path, tmp_path / "data", receive=hl7, destinations=destinations)
        node.start()
        try:
            uid = str(header.StudyInstanceUID)
            wanted = order(told, patient=who)
            assert [code(one) for one in exchange(port, wanted, wanted)] == ["AA", "AA"]
            wrong = wanted.replace(b"OMI^O23", b"OMI^O99").replace(b"PL1NW", b"other")
            (refused,) = exchange(port, wrong)
            assert (code(refused), errors(refused)) == ("AR", [("MSH^1^9", "201")])
            dcmtk("storescu", "-aec", "MSNODE", "127.0.0.1", str(node.port), *sample_study)
            end = time.monotonic() + 60
            while not ris.received:
                assert time.monotonic() < end, node.log.read_text()[-2000:]
                time.sleep(0.1)
            sample = 'msnode_hl7_messages_total{kind="OMI^O23",outcome="used"}'
            assert node.metric(sample) == 1
        finally:
            node.terminate()
    database = open_database(f"sqlite:///{tmp_path / 'data/msnode.sqlite'}")
    with database.connect() as connection:
        assert is_stat(connection, uid_hash(uid)), "the order and its study did not find each other"
    database.dispose()
    (message,) = ris.received
    parsed = parse_message(message)
    assert parsed.validate()
    segments = {line[:3]: line.split("|") for line in message.split("\r")}
    assert segments["PID"][3].split("^")[0] == str(header.PatientID)
    assert (segments["OBR"][25], segments["OBX"][11]) == ("P", "P")
    assert f"|113014^Study^DCM||{uid}|" in message
    log = node.log.read_text()
    for secret in (str(header.PatientID), "DOE", "PL1", uid):
        assert secret not in log

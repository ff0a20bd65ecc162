"""A listener in the test's own process, and what dcmtk and pynetdicom send to it."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from msnode import config
from msnode.audit import open_trail
from msnode.receive import Inbox, Listener, WebListener
from msnode.store.database import instances, open_database
from msnode.store.disk_space import DiskSpace
from msnode.store.schema import migrate
from tests.acceptance.peers import dcmtk


class Receiver:
    """A listener with its inbox and an audit trail."""

    def __init__(self, url: str, folder: Path, receive: config.Receive) -> None:
        self.engine = open_database(url)
        migrate(self.engine)
        self.folder = folder
        room = DiskSpace(folder, min_bytes=receive.min_free_bytes)
        self.inbox = Inbox(self.engine, folder, room, receive.conflicts)
        self.trail = open_trail(config.Config(data=folder, receive=receive), "receive")
        self.listener = Listener(receive, self.inbox, trail=self.trail)
        self.listener.start()
        self.web: WebListener | None = None
        if receive.dicomweb is not None:
            self.web = WebListener(receive, receive.dicomweb, self.inbox, self.trail)
            self.web.start()

    @property
    def peer(self) -> tuple[str, str]:
        """Host and port as dcmtk wants them."""
        return "127.0.0.1", str(self.listener.port)

    def rows(self) -> list[sa.Row[tuple[str, bool, str]]]:
        """SOPInstanceUID, conflict and path of what was kept."""
        self.inbox.flush()
        columns = instances.c
        query = sa.select(columns.sop_instance_uid, columns.conflict, columns.path)
        with self.engine.connect() as connection:
            return list(connection.execute(query.order_by(columns.id)))

    def audited(self) -> list[str]:
        """The audit messages so far, one XML document each; some follow a moment later."""
        file = self.folder / "audit" / "msnode-receive.log"
        return file.read_text().splitlines() if file.exists() else []

    def close(self) -> None:
        """Stop in the service's order."""
        if self.web is not None:
            self.web.stop(2)
        self.listener.stop(2)
        self.trail.close()
        self.inbox.close()
        self.engine.dispose()


def write(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    """The dataset as a Part 10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(path, enforce_file_format=True)
    return path


def send(receiver: Receiver, *paths: Path, title: str = "MSNODE") -> str:
    """Send with storescu, one after the other whatever the answers; returns all it says."""
    options = ["-v", "-nh", "-aec", title, "-aet", "MRI1"]
    return dcmtk("storescu", *options, *receiver.peer, *paths).stdout


def statuses(output: str) -> list[str]:
    """What storescu calls the answers."""
    return re.findall(r"Received Store Response \((.*)\)", output)


@contextmanager
def associated(receiver: Receiver) -> Iterator[Association]:
    """An association of pynetdicom's, with contexts for MR and CT images where accepted."""
    client = AE("PYTHON")
    for name in (MRImageStorage, CTImageStorage):
        client.add_requested_context(name, ExplicitVRLittleEndian)
    association = client.associate("127.0.0.1", receiver.listener.port, ae_title="MSNODE")
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def pause_reactor(association: Association) -> None:
    """Until its `_reactor_checkpoint` is set again, an answer is the test's, not the reactor's."""
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)

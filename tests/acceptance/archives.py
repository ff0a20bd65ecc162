"""Archives of several makes: what the node stores there is found again and comes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pynetdicom.dsutils import split_dataset

from tests.acceptance import peers

ASKER = "MSNODE"
"""AE title of who asks the archives; Orthanc knows it as its modality."""


def content(path: Path) -> tuple[str, bytes]:
    """SOPInstanceUID of a file, and its dataset as it is encoded."""
    meta, offset = split_dataset(path)
    return str(meta.MediaStorageSOPInstanceUID), path.read_bytes()[offset:]


@dataclass(frozen=True)
class Archive:
    """A peer with C-STORE, C-FIND and C-MOVE.

    Attributes:
        back: the files of a study that it gives back into a folder.
    """

    ae_title: str
    port: int
    back: Callable[[str, Path], list[Path]]

    def series(self, study: str, folder: Path) -> set[str]:
        """SeriesInstanceUID of what it holds of a study, by C-FIND (PS3.4 C.6.2.1)."""
        folder.mkdir()
        keys = ["QueryRetrieveLevel=SERIES", f"StudyInstanceUID={study}", "SeriesInstanceUID"]
        asked = ["-aet", ASKER, "-aec", self.ae_title, "127.0.0.1", self.port]
        done = peers.dcmtk("findscu", "-S", "-X", "-od", folder, *asked, *_keys(keys))
        assert done.returncode == 0, done.stdout
        answers = [pydicom.dcmread(path, force=True) for path in folder.glob("rsp*")]
        return {str(answer.SeriesInstanceUID) for answer in answers}


def _keys(keys: list[str]) -> list[str]:
    return [part for key in keys for part in ("-k", key)]


@contextmanager
def dcmqrscp(folder: Path, node_port: int = 0) -> Iterator[Archive]:
    """dcmtk's image database, which keeps what it gets as it came.

    Its C-MOVE proposes no Parametric Map, so its files are looked at where they lie.

    Args:
        folder: for its files.
        node_port: where `ASKER` listens, to whom it moves.
    """
    port, storage = peers.free_port(), folder / "storage"
    archive = Archive("QRSCP", port, lambda _, __: list(storage.glob("*.dcm")))
    storage.mkdir(parents=True)
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nasker = ({ASKER}, localhost, {node_port or port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{archive.ae_title} {storage} RW (100, 1024mb) ANY\nAETable END\n"
    )
    command = [peers.tool("dcmqrscp", "dcmtk"), "+B", "+xv", "-c", str(folder / "dcmqrscp.cfg")]
    with peers.program(command, folder / "dcmqrscp.log"):
        peers.wait(lambda: peers.listening(port), 10, "dcmqrscp to listen")
        yield archive


@contextmanager
def orthanc(folder: Path) -> Iterator[Archive]:
    """Orthanc, which sends what it has by C-MOVE (PS3.4 C.6.2.1)."""
    move_port = peers.free_port()

    def back(study: str, into: Path) -> list[Path]:
        into.mkdir()
        keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}"]
        taking = ["-S", "+xa", "-aem", ASKER, "+P", move_port, "-od", into]
        asked = ["-aet", ASKER, "-aec", pacs.ae_title, "127.0.0.1", pacs.port]
        done = peers.dcmtk("movescu", *taking, *asked, *_keys(keys))
        assert done.returncode == 0, done.stdout
        return list(into.iterdir())

    with peers.orthanc(folder, node_port=move_port) as pacs:
        yield Archive(pacs.ae_title, pacs.port, back)

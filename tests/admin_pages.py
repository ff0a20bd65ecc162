"""What the tests of the administrator's pages share: studies on record, and the audit trail."""

import time
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from msnode.manage.study_labels import Labels
from msnode.pages.frame.site import Site
from msnode.receive import Inbox
from msnode.receive.inbox.part10 import file_meta
from msnode.store.database import StudyState, results, studies
from tests.unit.receive.datasets import encode, mr, store

HOSTILE = "<script>alert(1)</script>"


def keep(site: Site, *images: Dataset) -> None:
    """Images in the inbox of a node, and their studies labelled."""
    inbox = Inbox(site.database, site.config.data)
    for image in images:
        store(inbox, image, time.time())
    inbox.close()
    Labels(site.database, site.config.data).update()


def analysed(site: Site, key: str, outcome: str = "absent", reason: str | None = None) -> Path:
    """A result of a study, with an object; returns the object's path."""
    row = {
        "study_key": key, "generation": 1, "outcome": outcome, "probability": 0.1,
        "model_digest": "", "created_at": time.time(), "folder": "", "model": "hybrid 1",
        "reason": reason,
    }  # fmt: skip
    done = {"generation": 1, "state": StudyState.DONE, "completion": "evidence"}
    with site.database.begin() as connection:
        connection.execute(results.insert(), row)
        connection.execute(studies.update().where(studies.c.study_key == key).values(done))
    path = site.config.data / "work" / key / "1" / "minimal" / "sr.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(part10(mr()))
    return path


def part10(dataset: Dataset, syntax: str = ExplicitVRLittleEndian, **said: Any) -> bytes:
    """A file as a scanner's CD has it; ``said`` replaces what its meta information says."""
    told = {"sop_class": str(dataset.SOPClassUID), "sop_instance": str(dataset.SOPInstanceUID)}
    meta = file_meta(**(told | said), transfer_syntax=syntax, sender="CD")
    return meta + encode(dataset, syntax)


def audited(site: Site, *words: str, seconds: float = 5.0) -> bool:
    """Whether the audit trail comes to have a message with all of these words."""
    path = site.config.data / "audit" / f"{site.config.name}-pages.log"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines = path.read_text().splitlines() if path.exists() else []
        if any(all(word in line for word in words) for line in lines):
            return True
        time.sleep(0.02)
    return False

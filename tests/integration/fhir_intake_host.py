"""A listener that takes Bundles, as a process of its own, to be killed."""

import sys
import threading
from pathlib import Path

from msnode import config
from msnode.receive import Inbox, WebListener
from msnode.service.clinical_intake import ClinicalIntake
from msnode.store.database import open_database
from msnode.store.schema import migrate

FEED = config.FhirReceive(patient_system="urn:oid:1.2.3")


def listening(folder: Path, url: str, web: config.Dicomweb, **limits: float) -> WebListener:
    """A listener on a free port."""
    engine = open_database(url)
    migrate(engine)
    inbox = Inbox(engine, folder)
    values = {"address": "127.0.0.1", "port": 0, "min_free_bytes": 0, "dicomweb": web} | limits
    receive = config.Receive(**values)  # type: ignore[arg-type]
    assert web.fhir is not None
    clinical = ClinicalIntake(engine, inbox.secret, web.fhir)
    listener = WebListener(receive, web, inbox, clinical=clinical)
    listener.start()
    return listener


if __name__ == "__main__":
    web = config.Dicomweb(port=0, fhir=FEED)
    print(listening(Path(sys.argv[1]), sys.argv[2], web).port, flush=True)
    threading.Event().wait()

"""Brings one transaction to a FHIR server with receipts, as a node does; to be killed."""

import sys
from pathlib import Path

from msnode.config import FhirServer
from msnode.deliver.deliveries import Deliveries, identify
from msnode.deliver.verification import Delivery
from msnode.store.database import open_database
from msnode.store.schema import migrate


def main(url: str, path: Path, base: str, generation: int) -> None:
    """Attempt until it is delivered."""
    database = open_database(url)
    migrate(database)
    destination = FhirServer("ehr", fhir=base, patient_system="urn:oid:1.2.3")
    files = {identify(path): path}
    delivery = Delivery(destination, "0123456789abcdef", generation, files, "MSNODE", None)
    deliveries, attempt = Deliveries(database), 1
    while not deliveries.attempt(delivery, attempt)["delivered"]:
        attempt += 1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))

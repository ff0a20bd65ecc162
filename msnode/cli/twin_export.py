"""What `msnode twin export` writes."""

import csv
import json
from dataclasses import asdict
from io import StringIO
from pathlib import Path

from msnode import config
from msnode.cli.twin_record import opened, record_of
from msnode.errors import MsnodeError
from msnode.store.files import replacing
from msnode.store.patients import ID_DIGITS
from msnode.twin.clinical.event_csv import COLUMNS, cells_of
from msnode.twin.clinical.event_fhir import as_bundle
from msnode.twin.clinical.events import Recorded


def export(config_file: Path, patient: str, issuer: str, out: Path) -> int:
    """Write all events of a patient, whole or not at all.

    Returns:
        Number of events.

    Raises:
        MsnodeError: the file's name ends otherwise; there is nobody of this ID; or events name an
            issuer, which is on record as a hash only, so it has to be given.
    """
    if out.suffix.lower() not in (".csv", ".json"):
        raise MsnodeError("name the file NAME.csv, NAME.fhir.json or NAME.json")
    with opened(config.load(config_file)) as node:
        record = record_of(node, patient, issuer)
    if not issuer.strip() and any(len(one.patient_key) > ID_DIGITS for one in record.events):
        raise MsnodeError("the events name the issuer of the ID: give it with --issuer")
    rows = [
        (one, cells_of(one.event, patient.strip(), _issuer(one, issuer.strip())))
        for one in record.events
    ]
    if out.name.lower().endswith(".fhir.json"):
        text = _as_fhir(rows)
    else:
        text = _as_csv(rows) if out.suffix.lower() == ".csv" else _as_json(rows)
    with replacing(out) as file:
        Path(file.name).chmod(0o600)  # it names the patient
        file.write(text.encode())
    return len(rows)


Cells = dict[str, str]


def _issuer(one: Recorded, issuer: str) -> str:
    """The issuer, where the event came with it."""
    return issuer if len(one.patient_key) > ID_DIGITS else ""


def _as_csv(rows: list[tuple[Recorded, Cells]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells for _, cells in rows)
    return text.getvalue()


def _as_fhir(rows: list[tuple[Recorded, Cells]]) -> str:
    patient = rows[0][1]["patient"] if rows else ""
    bundle = as_bundle(patient, [(cells["issuer"], one.event) for one, cells in rows])
    return json.dumps(bundle, ensure_ascii=False, indent=1) + "\n"


def _as_json(rows: list[tuple[Recorded, Cells]]) -> str:
    events = [
        cells | {"identity": one.event.identity, "provenance": asdict(one.provenance)}
        for one, cells in rows
    ]
    return json.dumps(events, ensure_ascii=False, indent=1) + "\n"

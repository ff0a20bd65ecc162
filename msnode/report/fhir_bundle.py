"""A result as a transaction of FHIR R4: what happens to it twice changes nothing (docs/fhir.md)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msnode.config import Describe, FhirServer
from msnode.records.lesions import LesionModel
from msnode.records.results import ModelInfo, Report
from msnode.report import codes, wording
from msnode.report.case import PROGRAM, USUAL, Case, device_uid, load
from msnode.report.fhir_expected import expected
from msnode.report.fhir_observations import Context, observations
from msnode.report.fhir_terms import STUDY, Entry, Resource, by_uid, concept, query, term
from msnode.report.readable_sr import impression
from msnode.report.uids import uid
from msnode.store.files import replacing


def build(report: Report, describe: Describe, server: FhirServer) -> Resource:
    """The transaction that brings a result to a server.

    Args:
        report: the result.
        describe: language.
        server: how it knows patients.

    Raises:
        Refused: the header of the source images cannot be copied.
    """
    case = load(report, describe, USUAL)
    entries = list(_entries(case, server))
    return {
        "resourceType": "Bundle",
        "id": uid("fhir", report.study_instance_uid, report.generation, report.model.digest),
        "type": "transaction",
        "timestamp": _instant(report),
        "entry": [entry.whole for entry in entries],
    }


def write_bundle(report: Report, describe: Describe, server: FhirServer, path: Path) -> Path:
    """Write it, whole or not at all; the same report gives the same bytes.

    Returns:
        The path.

    Raises:
        Refused: see `build`.
    """
    content = json.dumps(build(report, describe, server), ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)
    return path


def _entries(case: Case, server: FhirServer) -> Iterator[Entry]:
    """What others refer to comes first, for whoever reads it."""
    patient = _patient(case, server)
    subject = _subject(patient, server)
    if patient is not None and server.patient == "create":
        yield patient
    study = _study(case, subject)
    classifier = _device(case.report.model)
    lesions = case.report.lesions
    outliner = _device(lesions.model) if lesions is not None else None
    yield study
    yield classifier
    if outliner is not None and outliner.url != classifier.url:
        yield outliner
    context = Context(case, subject, study, _day(case), _instant(case.report), classifier, outliner)
    measured = list(observations(context))
    yield from measured
    yield _report(context, measured)
    risk = expected(context, measured)
    if risk is not None:
        yield risk


def _patient(case: Case, server: FhirServer) -> Entry | None:
    """The Patient; None where the images name nobody, or of an issuer that is not known."""
    header = case.header.study
    value, issuer = str(header.get("PatientID", "")), str(header.get("IssuerOfPatientID", ""))
    system = server.system_of(issuer)
    if not value or system is None:
        return None
    record = term("v2-0203", "MR", "Medical record number")
    identifier = {"type": record, "system": system, "value": value}
    return Entry({"resourceType": "Patient", "identifier": [identifier]}, is_kept=True)


def _subject(patient: Entry | None, server: FhirServer) -> Resource:
    """A reference that the server resolves; of nobody that it knows, in words."""
    if patient is None:
        return {"type": "Patient", "display": "The images name no patient of this server"}
    if server.patient == "create":
        return patient.reference
    (identifier,) = patient.resource["identifier"]
    return {"reference": f"Patient?{query(identifier)}"}


def _study(case: Case, subject: Resource) -> Entry:
    """The ImagingStudy: the server's, where it has it."""
    header = case.header.study
    study = case.report.study_instance_uid
    identifiers: list[Resource] = [{"system": STUDY, "value": f"urn:oid:{study}"}]
    if accession := str(header.get("AccessionNumber", "")):
        kind = term("v2-0203", "ACSN", "Accession ID")
        identifiers.append({"type": kind, "value": accession})
    day = _day(case)
    return Entry(
        {
            "resourceType": "ImagingStudy",
            "identifier": identifiers,
            "status": "available",
            "modality": [term("http://dicom.nema.org/resources/ontology/DCM", "MR")["coding"][0]],
            "subject": subject,
            **({"started": day} if day else {}),
        },
        is_kept=True,
    )


def _device(model: ModelInfo | LesionModel) -> Entry:
    """The program with the model that spoke; another model is another Device."""
    return Entry(
        {
            "resourceType": "Device",
            "identifier": [by_uid(device_uid(model))],
            "status": "active",
            "manufacturer": PROGRAM,
            "deviceName": [{"name": f"{PROGRAM} {model.name}", "type": "model-name"}],
            "type": concept(codes.ARTIFICIAL_INTELLIGENCE),
            "version": [{"value": f"{model.version} {model.digest[:12]}"}],
        },
        is_kept=True,
    )


def _report(context: Context, measured: list[Entry]) -> Entry:
    """The DiagnosticReport: preliminary, as nobody has verified it, also when it is revised."""
    case = context.case
    study = case.report.study_instance_uid
    lines = [*impression(case), *wording.notes(case)]
    resource: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [by_uid(uid("fhir", "report", study))],
        "status": "preliminary",
        "category": [term("v2-0074", "RAD", "Radiology")],
        "code": concept(case.report.words.procedure),
        "subject": context.subject,
        **context.when,
        "issued": context.issued,
        "result": [one.reference for one in measured],
        "imagingStudy": [context.study.reference],
        "conclusion": "\n".join(lines),
    }
    if accession := str(case.header.study.get("AccessionNumber", "")):
        kind = term("v2-0203", "ACSN", "Accession ID")
        order = {"type": "ServiceRequest", "identifier": {"type": kind, "value": accession}}
        resource["basedOn"] = [order]
    return Entry(resource)


def _day(case: Case) -> str:
    """StudyDate as FHIR has it."""
    day = str(case.header.study.get("StudyDate", ""))
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else ""


def _instant(report: Report) -> str:
    return datetime.fromtimestamp(report.created_at, UTC).isoformat(timespec="seconds")

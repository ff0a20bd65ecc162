"""DICOM audit messages as XML (PS3.15 A.5.1), of the events that a node has (PS3.15 A.5.3)."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from xml.etree.ElementTree import Element, SubElement, tostring


class Code(Enum):
    """Codes of DCM (PS3.16 D) and, for IDs of patients and files, of RFC 3881 5.5.4."""

    APPLICATION_ACTIVITY = "110100", "Application Activity"
    BEGIN_TRANSFERRING = "110102", "Begin Transferring DICOM Instances"
    IMPORT = "110107", "Import"
    QUERY = "110112", "Query"
    INSTANCES_TRANSFERRED = "110104", "DICOM Instances Transferred"
    STUDY_DELETED = "110105", "DICOM Study Deleted"
    PATIENT_RECORD = "110110", "Patient Record"
    SECURITY_ALERT = "110113", "Security Alert"
    USER_AUTHENTICATION = "110114", "User Authentication"
    START = "110120", "Application Start"
    STOP = "110121", "Application Stop"
    LOGIN = "110122", "Login"
    LOGOUT = "110123", "Logout"
    APPLICATION = "110150", "Application"
    DESTINATION = "110152", "Destination Role ID"
    SOURCE = "110153", "Source Role ID"
    SOP_CLASS = "110181", "SOP Class UID"
    STUDY = "110180", "Study Instance UID"
    NODE = "110182", "Node ID"
    PATIENT = "2", "Patient Number"
    FILE = "12", "URI"


class Access(Enum):
    """What was done with a patient's record (EventActionCode, RFC 3881 5.1.2)."""

    READ = "R"
    UPDATED = "U"
    DELETED = "D"


class AlertType(Enum):
    """What a security alert is about (PS3.16 CID 403)."""

    NODE_AUTHENTICATION = "110126", "Node Authentication"
    RESTRICTED_FUNCTION = "110132", "Use of Restricted Function"
    USER_SECURITY = "110137", "User security Attributes Changed"


SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
"""EventOutcomeIndicator."""


@dataclass(frozen=True, slots=True)
class Node:
    """A side of a transfer.

    Attributes:
        name: AE title; of what has none (a folder, a webhook) its name in the configuration.
        address: IP address or host name, "" where there is none.
    """

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Instances of one study on their way from one node to another.

    Attributes:
        patient_id: "" where the study has none.
        instances: number of them by SOP Class UID; may be left out at the begin.
    """

    source: Node
    destination: Node
    study_instance_uid: str
    patient_id: str
    instances: Mapping[str, int] = field(default_factory=dict)


def application(us: Node, *, starts: bool) -> Element:
    """Application Activity (PS3.15 A.5.3.1)."""
    kind = Code.START if starts else Code.STOP
    message = _event(Code.APPLICATION_ACTIVITY, "E", SUCCESS, kind)
    _participant(message, us, Code.APPLICATION, requests=False)
    return message


def begin(transfer: Transfer) -> Element:
    """Begin Transferring DICOM Instances (PS3.15 A.5.3.3)."""
    message = _event(Code.BEGIN_TRANSFERRING, "E", SUCCESS)
    _sides(message, transfer)
    return message


def transferred(transfer: Transfer, *, succeeded: bool, new: bool) -> Element:
    """DICOM Instances Transferred (PS3.15 A.5.3.7): those that were, or those that failed.

    Args:
        transfer: what, between whom.
        succeeded: whether the receiver has them now.
        new: whether the receiver did not hold them before (else, or where unknown, "read").
    """
    outcome = SUCCESS if succeeded else MINOR_FAILURE
    message = _event(Code.INSTANCES_TRANSFERRED, "C" if new else "R", outcome)
    _sides(message, transfer)
    return message


def queried(us: Node, other: Node, sop_class_uid: str, query: bytes) -> Element:
    """Query (PS3.15 A.5.3.10): we asked another node for studies.

    Args:
        us: who asked.
        other: who was asked.
        sop_class_uid: of the query.
        query: its identifier, in Implicit VR Little Endian.
    """
    message = _event(Code.QUERY, "E", SUCCESS)
    _participant(message, us, Code.SOURCE, requests=True)
    _participant(message, other, Code.DESTINATION, requests=False)
    item = _object(message, Code.SOP_CLASS, sop_class_uid, kind="2", role="3")
    item.remove(item[-1])  # either a name or a query
    SubElement(item, "ParticipantObjectQuery").text = b64encode(query).decode()
    syntax = b64encode(b"1.2.840.10008.1.2").decode()
    SubElement(item, "ParticipantObjectDetail", type="TransferSyntax", value=syntax)
    return message


def deleted(us: Node, study_instance_uid: str, patient_id: str) -> Element:
    """DICOM Study Deleted (PS3.15 A.5.3.8)."""
    message = _event(Code.STUDY_DELETED, "D", SUCCESS)
    _participant(message, us, None, requests=True)
    _study_and_patient(message, study_instance_uid, patient_id, {})
    return message


def patient_record(us: Node, account: str, access: Access, patient_id: str) -> Element:
    """Patient Record (DCM 110110): somebody at this host used the record of a patient.

    Args:
        us: whose record it is.
        account: of the person.
        access: what was done.
        patient_id: whose.
    """
    message = _event(Code.PATIENT_RECORD, access.value, SUCCESS)
    _person_and_us(message, account, us)
    _object(message, Code.PATIENT, patient_id, kind="1", role="1")
    return message


def authenticated(
    us: Node, account: str, address: str, *, leaves: bool, succeeded: bool
) -> Element:
    """User Authentication (PS3.15 A.5.3.12): somebody logged in to the pages, tried to, or left.

    Args:
        us: whose pages.
        account: as it was given; of a failed attempt perhaps nobody's.
        address: it came from.
        leaves: logged out.
        succeeded: false of an attempt that was refused.
    """
    kind = Code.LOGOUT if leaves else Code.LOGIN
    outcome = SUCCESS if succeeded else MINOR_FAILURE
    message = _event(Code.USER_AUTHENTICATION, "E", outcome, kind)
    person = {"UserID": clean(account) or "(no name)", "UserIsRequestor": "true"}
    if address:
        person |= {"NetworkAccessPointID": address, "NetworkAccessPointTypeCode": "2"}
    SubElement(message, "ActiveParticipant", person)
    _participant(message, us, Code.APPLICATION, requests=False)
    return message


def imported(us: Node, account: str, file: str) -> Element:
    """Import (DCM 110107) of a file into the records of the patients that it names.

    Unlike PS3.15 A.5.3.5 it lists no patients, who may be thousands: the file does.

    Args:
        us: whose records they are.
        account: of the person.
        file: its name.
    """
    message = _event(Code.IMPORT, "C", SUCCESS)
    _person_and_us(message, account, us)
    _object(message, Code.FILE, file, kind="2", role="3")
    return message


def alert(us: Node, other: Node, kind: AlertType, what: str) -> Element:
    """Security Alert (PS3.15 A.5.3.11) on what another node tried.

    Args:
        us: who reports it.
        other: who tried; its name is what it claims to be.
        kind: of alert.
        what: happened, in words; names no patient.
    """
    message = _event(Code.SECURITY_ALERT, "E", SERIOUS_FAILURE, kind)
    _participant(message, us, None, requests=True)
    _participant(message, other, None, requests=False)
    node = _object(message, Code.NODE, other.address, kind="2", role="13")
    value = b64encode(clean(what).encode()).decode()
    SubElement(node, "ParticipantObjectDetail", type="Alert Description", value=value)
    return message


def finish(message: Element, source: str) -> bytes:
    """Say who reports, in the place that the schema wants it, and encode: UTF-8, one line."""
    objects = message.findall("ParticipantObjectIdentification")
    place = list(message).index(objects[0]) if objects else len(message)
    us = Element("AuditSourceIdentification", AuditSourceID=clean(source))
    SubElement(us, "AuditSourceTypeCode", {"csd-code": "4"})  # application server
    message.insert(place, us)
    return bytes(tostring(message, encoding="UTF-8", xml_declaration=True)).replace(b"\n", b" ")


def clean(text: str) -> str:
    """Without what XML cannot hold and no reader wants: others choose their AE titles."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _event(code: Code, action: str, outcome: str, kind: Code | AlertType | None = None) -> Element:
    """A message with its EventIdentification."""
    message = Element("AuditMessage")
    event = SubElement(
        message,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=datetime.now(UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=outcome,
    )
    _code(event, "EventID", code)
    if kind is not None:
        _code(event, "EventTypeCode", kind)
    return message


def _code(parent: Element, name: str, code: Code | AlertType) -> None:
    """A coded value."""
    value, meaning = code.value
    system = "RFC-3881" if code in (Code.PATIENT, Code.FILE) else "DCM"
    values = {"csd-code": value, "codeSystemName": system, "originalText": meaning}
    SubElement(parent, name, values)


def _participant(message: Element, node: Node, role: Code | None, *, requests: bool) -> None:
    """An ActiveParticipant; a process is known by its AE title (PS3.15 A.5.2.1, A.5.2.2)."""
    name = clean(node.name)
    values = {
        "UserID": name,
        "AlternativeUserID": f"AETITLES={name}",
        "UserIsRequestor": "true" if requests else "false",
    }
    if node.address:
        values["NetworkAccessPointID"] = node.address
        is_ip = ":" in node.address or node.address.replace(".", "").isdigit()
        values["NetworkAccessPointTypeCode"] = "2" if is_ip else "1"
    participant = SubElement(message, "ActiveParticipant", values)
    if role is not None:
        _code(participant, "RoleIDCode", role)


def _person_and_us(message: Element, account: str, us: Node) -> None:
    """Who asks at the command line, and the application that does it."""
    SubElement(message, "ActiveParticipant", UserID=clean(account), UserIsRequestor="true")
    _participant(message, us, Code.APPLICATION, requests=False)


def _sides(message: Element, transfer: Transfer) -> None:
    """Who sends (and so asked for it), who receives, and what."""
    _participant(message, transfer.source, Code.SOURCE, requests=True)
    _participant(message, transfer.destination, Code.DESTINATION, requests=False)
    uid, patient_id = transfer.study_instance_uid, transfer.patient_id
    _study_and_patient(message, uid, patient_id, transfer.instances)


def _study_and_patient(
    message: Element, study_instance_uid: str, patient_id: str, instances: Mapping[str, int]
) -> None:
    """What it is about; the patient's name is not needed to find the patient."""
    study = _object(message, Code.STUDY, study_instance_uid, kind="2", role="3")
    if instances:
        description = SubElement(study, "ParticipantObjectDescription")
        for uid, number in sorted(instances.items()):
            SubElement(description, "SOPClass", UID=uid, NumberOfInstances=str(number))
    _object(message, Code.PATIENT, patient_id, kind="1", role="1")


def _object(message: Element, code: Code, identifier: str, *, kind: str, role: str) -> Element:
    """A ParticipantObjectIdentification; the schema asks for a name, which may be empty."""
    item = SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=clean(identifier),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _code(item, "ParticipantObjectIDTypeCode", code)
    SubElement(item, "ParticipantObjectName")
    return item

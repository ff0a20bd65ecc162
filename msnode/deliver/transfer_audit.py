"""What was sent where, for the audit trail (PS3.15 A.5.3.3, A.5.3.7)."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydicom import dcmread

from msnode.audit import Node, Trail, Transfer
from msnode.config import Destination
from msnode.deliver.c_store import read_item
from msnode.deliver.verification import Delivery
from msnode.hl7v2.hl7_message import Unreadable, segments
from msnode.records.receipt import Receipt

STUDY = "113014"
"""DICOM's code (PS3.16 D) of a study's UID in a message."""


def begun(trail: Trail, delivery: Delivery, paths: Sequence[Path]) -> None:
    """Objects are about to be sent."""
    if paths:
        trail.begin(_transfer(trail, delivery, {}))


def ended(trail: Trail, delivery: Delivery, receipts: Sequence[Receipt]) -> None:
    """Objects were taken or refused; of those that never left there is nothing to say."""
    taken = [receipt for receipt in receipts if receipt.delivered or receipt.sent]
    refused = [r for r in receipts if r.status is not None and not (r.delivered or r.sent)]
    for group, succeeded in ((taken, True), (refused, False)):
        if group:
            transfer = _transfer(trail, delivery, _by_class(delivery.paths(group)))
            trail.transferred(transfer, succeeded=succeeded)


def _transfer(trail: Trail, delivery: Delivery, instances: dict[str, int]) -> Transfer:
    """Of the delivery's study, from us to the destination."""
    study, patient = _whose(next(iter(delivery.files.values())))
    return Transfer(trail.us, _node(delivery.destination), study, patient, instances)


def _node(destination: Destination) -> Node:
    """A destination as the audit trail names it."""
    return Node(*destination.node)


def _by_class(paths: Sequence[Path]) -> dict[str, int]:
    """Number of instances of each SOP class; a signal and a message are of none."""
    items = [read_item(path) for path in paths if path.suffix == ".dcm"]
    return dict(Counter(str(item.sop_class_uid) for item in items))


def _of_json(content: dict[str, Any]) -> str:
    """StudyInstanceUID of a signal, or of the ImagingStudy in a transaction."""
    if "study_instance_uid" in content:
        return str(content["study_instance_uid"])
    resources = (entry["resource"] for entry in content["entry"])
    study = next(one for one in resources if one["resourceType"] == "ImagingStudy")
    return str(study["identifier"][0]["value"]).removeprefix("urn:oid:")


def _whose(path: Path) -> tuple[str, str]:
    """StudyInstanceUID and PatientID of a result object; a signal has no PatientID."""
    if path.suffix == ".json":
        return _of_json(json.loads(path.read_bytes())), ""
    if path.suffix == ".hl7":
        return _told_in(path)
    tags = ["StudyInstanceUID", "PatientID"]
    header = dcmread(path, stop_before_pixels=True, specific_tags=tags)
    return str(header.StudyInstanceUID), str(header.get("PatientID") or "")


def _told_in(path: Path) -> tuple[str, str]:
    """The same of a message, as far as the site's template tells them."""
    uid = patient = ""
    with suppress(Unreadable):
        for one in segments(path.read_bytes().rstrip(b"\r")):
            if one.name == "PID":
                patient = one.parts(one.repetitions(3)[0])[0]
            elif one.name == "OBX" and one.parts(one.repetitions(3)[0])[0] == STUDY:
                uid = one.parts(one.repetitions(5)[0])[0]
    return uid, patient

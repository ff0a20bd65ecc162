"""Audit messages against the schema of PS3.15 A.5.1 (with jing), and what they say."""

import subprocess
from base64 import b64decode
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from pydicom.uid import MRImageStorage, RawDataStorage

from msnode.audit import Access, AlertType, Node, Transfer, messages
from tests.acceptance.peers import tool

SCHEMA = Path(__file__).with_name("message.rnc")
US = Node("MSNODE", "node.example.org")
SCANNER = Node("MRI1", "10.1.2.3")
STUDY = Transfer(SCANNER, US, "1.2.840.99", "P-4711", {MRImageStorage: 20, RawDataStorage: 1})

EVERY = {
    "start": messages.application(US, starts=True),
    "stop": messages.application(US, starts=False),
    "begin": messages.begin(STUDY),
    "received": messages.transferred(STUDY, succeeded=True, new=True),
    "failed": messages.transferred(STUDY, succeeded=False, new=False),
    "without_patient": messages.begin(Transfer(SCANNER, Node("archive"), "1.2", "")),
    "deleted": messages.deleted(US, "1.2.3", "P-4711"),
    "record_read": messages.patient_record(US, "anna", Access.READ, "P-4711"),
    "record_deleted": messages.patient_record(US, "anna", Access.DELETED, "P-4711"),
    "logged_in": messages.authenticated(US, "anna", "10.1.2.3", leaves=False, succeeded=True),
    "refused": messages.authenticated(US, "\x00", "10.1.2.3", leaves=False, succeeded=False),
    "left": messages.authenticated(US, "anna", "", leaves=True, succeeded=True),
    "imported": messages.imported(US, "anna", "events of\nMay.csv"),
    "rejected": messages.alert(
        US, Node('<&"\x1b[31m\0\nX', "fe80::1"), AlertType.NODE_AUTHENTICATION, "unknown\ncaller"
    ),
}


def test_every_message_follows_the_schema(tmp_path: Path) -> None:
    paths = []
    for name, message in EVERY.items():
        paths.append(tmp_path / f"{name}.xml")
        paths[-1].write_bytes(messages.finish(message, "msnode@host"))
    done = subprocess.run(
        [tool("jing", "jing"), "-c", SCHEMA, *paths],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", EVERY)
def test_a_message_is_one_line(name: str) -> None:
    assert b"\n" not in messages.finish(EVERY[name], "msnode@host")


def reread(message: Element) -> Element:
    """As a collector would read it."""
    return fromstring(messages.finish(message, "msnode@host"))


def test_who_sent_what_is_in_it() -> None:
    message = reread(EVERY["received"])
    sides = {p.get("UserID"): p for p in message.findall("ActiveParticipant")}
    assert sides["MRI1"].get("UserIsRequestor") == "true"
    assert sides["MRI1"].get("NetworkAccessPointID") == "10.1.2.3"
    assert sides["MRI1"].get("NetworkAccessPointTypeCode") == "2"
    assert sides["MSNODE"].get("NetworkAccessPointTypeCode") == "1"
    objects = [
        o.get("ParticipantObjectID") for o in message.iter("ParticipantObjectIdentification")
    ]
    assert objects == ["1.2.840.99", "P-4711"]
    counts = {c.get("UID"): c.get("NumberOfInstances") for c in message.iter("SOPClass")}
    assert counts == {MRImageStorage: "20", RawDataStorage: "1"}


def test_what_a_caller_calls_itself_stays_text() -> None:
    message = reread(EVERY["rejected"])
    assert message.findall("ActiveParticipant")[1].get("UserID") == '<&"\ufffd[31m\ufffd\ufffdX'
    detail = message.find(".//ParticipantObjectDetail")
    assert detail is not None
    assert b64decode(detail.get("value", "")).decode() == "unknown\ufffdcaller"


def test_who_used_whose_record_is_in_it() -> None:
    message = reread(EVERY["record_deleted"])
    event = message.find("EventIdentification")
    assert event is not None
    assert event.get("EventActionCode") == "D"
    person, us = message.findall("ActiveParticipant")
    assert (person.get("UserID"), person.get("UserIsRequestor")) == ("anna", "true")
    assert us.get("UserID") == "MSNODE"
    (whose,) = message.findall("ParticipantObjectIdentification")
    assert whose.get("ParticipantObjectID") == "P-4711"

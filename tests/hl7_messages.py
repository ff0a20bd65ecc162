"""HL7 v2 messages for tests, and a client that sends them."""

import socket
from contextlib import closing

import sqlalchemy as sa

from msnode.hl7v2.mllp import Blocks, block
from msnode.service.message_intake import MessageIntake
from msnode.store.database import StudyState, studies
from msnode.store.patients import accession_key, patient_key

PID = "PID|1||4711^^^CLINIC^MR||DOE^JANE||19801231|F"
OBR = "OBR|1|PL1|F1|edss^EDSS^99MSNODE|||20240115"
EDSS = "OBX|1|NM|edss^EDSS^99MSNODE||2.0||||||F|||20240115093000"
RELAPSE = "OBX|2|DT|relapse^Relapse^99MSNODE||20240110||||||F"
SENT = "20240115101500"
SECRET = b"0" * 32
WHO = patient_key(SECRET, "4711", "CLINIC")


def msh(
    kind: str = "ORU^R01^ORU_R01",
    control: str = "1",
    sent: str = SENT,
    version: str = "2.5.1",
    processing: str = "P",
    charset: str = "",
    modes: str = "|",
    sender: str = "EHR|CLINIC",
) -> str:
    """A header; ``modes`` is MSH-15|MSH-16."""
    return (
        f"MSH|^~\\&|{sender}|MSNODE|RAD|{sent}||{kind}|{control}|{processing}|{version}|||"
        f"{modes}||{charset}"
    )


def message(*segments: str, charset: str = "utf-8") -> bytes:
    """Segments as they are sent."""
    return ("\r".join(segments) + "\r").encode(charset)


MERGE = message(msh("ADT^A40^ADT_A39", "m1"), "PID|1||4711^^^CLINIC^MR", "MRG|0815^^^CLINIC^MR")


def order(
    accession: str = "A1",
    *,
    control: str = "NW",
    urgent: bool = True,
    placer: str = "PL1",
    sent: str = SENT,
    patient: str = PID,
    uid: str = "",
    message_id: str | None = None,
) -> bytes:
    """An OMI^O23."""
    priority = "S" if urgent else "R"
    return message(
        msh("OMI^O23^OMI_O23", message_id or f"{placer}{control}{sent}", sent),
        patient,
        f"ORC|{control}|{placer}^HIS|{accession}^RIS",
        f"TQ1|1||||||||{priority}",
        f"OBR|1|{placer}^HIS|{accession}^RIS|24590-2^MR Brain^LN|||||||||||||||||||||||||||"
        "G35^Multiple sclerosis^I10~^new deficit",
        f"IPC|{accession}|RP1|{uid}|SPS1",
    )


def exchange(port: int, *messages: bytes, timeout_s: float = 10.0) -> list[bytes]:
    """Send messages one after the other over one connection; the answer to each."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=timeout_s)) as client:
        return [_answer(client, one) for one in messages]


def _answer(client: socket.socket, content: bytes) -> bytes:
    client.sendall(block(content))
    blocks = Blocks(1 << 20)
    while (answer := blocks.next()) is None:
        data = client.recv(4096)
        assert data, "the connection was closed without an answer"
        blocks.feed(data)
    return answer


def fields(answer: bytes, name: str) -> list[list[str]]:
    """The fields of an answer's segments of a name, by their number but for MSH."""
    lines = answer.decode().split("\r")
    return [line.split("|") for line in lines if line.startswith(name)]


def code(answer: bytes | None) -> str:
    """MSA-1."""
    assert answer is not None
    return fields(answer, "MSA")[0][1]


def errors(answer: bytes | None) -> list[tuple[str, str]]:
    """Place and code of each ERR."""
    assert answer is not None
    return [(one[2], one[3].split("^")[0]) for one in fields(answer, "ERR")]


def take(intake: MessageIntake, one: bytes) -> str:
    return code(intake.take(one, "HIS"))


def add_study(
    database: sa.Engine, key: str = "0" * 16, patient: str = WHO, accession: str = "A1"
) -> str:
    with database.begin() as connection:
        connection.execute(
            studies.insert().values(
                study_key=key, study_instance_uid="1.2", patient_key=patient, generation=1,
                state=StudyState.QUEUED, first_at=0.0, last_at=0.0,
                accession_key=accession_key(SECRET, accession),
            )
        )  # fmt: skip
    return key
